import { Emitter } from '../../src/base/emitter.js';
import type { Connection, ConnectionEvents } from '../../src/agent/connection.js';
import type { FakeClock } from './fake-clock.js';

/** A connection in memory: what was sent lies in `sent`, and a test plays the agent. */
export class FakeConnection implements Connection {
  readonly remote = '127.0.0.1:50000';
  readonly openedAtMs: number;
  readonly events = new Emitter<ConnectionEvents>();
  readonly canMark = true;
  unsentBytes = 0;
  destroyed = false;
  readonly sent: { atMs: number; text: string }[] = [];
  readonly marks: { atMs: number; payload: Uint8Array }[] = [];
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
    this.openedAtMs = clock.nowMs();
  }

  send(unit: Uint8Array, mark?: Uint8Array): void {
    const atMs = this.#clock.nowMs();
    this.sent.push({ atMs, text: Buffer.from(unit).toString('latin1') });
    if (mark) this.marks.push({ atMs, payload: mark });
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** The agent says something. */
  says(text: string): void {
    this.events.emit('message', Buffer.from(text));
  }

  /** Text units that were sent, without audio. */
  get lines(): string[] {
    return this.sent.map(({ text }) => text).filter((text) => !/^SND\d/.test(text));
  }
}

import { Emitter } from '../../src/base/emitter.js';
import type { Connection, ConnectionEvents } from '../../src/agent/connection.js';
import type { WireUnit } from '../../src/agent/wire.js';
import { AckWindow } from '../../src/transport/ack-window.js';
import type { FakeClock } from './fake-clock.js';
import { unitBytes } from './unit-bytes.js';

/** A connection in memory: what was sent lies in `sent`, and a test plays the agent. */
export class FakeConnection implements Connection {
  readonly remote = '127.0.0.1:50000';
  readonly transport = 'websocket';
  readonly openedAtMs: number;
  readonly events = new Emitter<ConnectionEvents>();
  readonly acks = new AckWindow();
  unsentBytes = 0;
  destroyed = false;
  readonly sent: { atMs: number; text: string }[] = [];
  /** Marks that went out. */
  readonly marks: number[] = [];
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
    this.openedAtMs = clock.nowMs();
  }

  send(unit: WireUnit): void {
    if (this.acks.admit(unit)) this.#write(unit);
  }

  #write(unit: WireUnit): void {
    const atMs = this.#clock.nowMs();
    const mark = this.acks.wrote(unit, atMs);
    this.sent.push({ atMs, text: unitBytes(unit).toString('latin1') });
    if (mark !== undefined) this.marks.push(mark);
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** The agent says something. */
  says(text: string): void {
    this.events.emit('message', Buffer.from(text));
  }

  /** A mark comes back. */
  answers(mark: number | undefined): void {
    if (this.acks.answered(mark, this.#clock.nowMs(), (unit) => this.#write(unit)))
      this.events.emit('acknowledged', undefined);
  }

  /** Text units that were sent, without audio. */
  get lines(): string[] {
    return this.sent.map(({ text }) => text).filter((text) => !/^SND\d/.test(text));
  }
}

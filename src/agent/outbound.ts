import type { Clock, Timer } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Connection } from './connection.js';
import { FIRST_SEND_DELAY_MS, type WireUnit } from './wire.js';

/** Command lines that may wait for the first moment at which sending is safe. */
const MAX_EARLY = 1000;
/** A wait that ends so much late, in ms, was a stall, maybe of the whole machine: the agent may have slept as well. */
const STALL_MS = 25;
/** Waits in all; a machine that stalls at each of them has other worries. */
const MAX_WAITS = 4;
/** Bytes that may wait for an agent that has stopped reading before commands are refused. */
const MAX_UNSENT_BYTES = 1_000_000;

/**
 * Where text joins the frames: one order for all that goes to an agent. Commands leave at once, between two frames,
 * each in one message; only in the first 50 ms after the upgrade they wait, because the agent would not see them
 * (protocol.md §1).
 */
export class Outbound {
  readonly #connection: Connection;
  readonly #agentName: string;
  #early: WireUnit[] | undefined = [];
  #timer: Timer | undefined;
  #waits = 0;

  /** @param open true for a connection that has long been open: nothing waits */
  constructor(connection: Connection, clock: Clock, agentName: string, open: boolean) {
    this.#connection = connection;
    this.#agentName = agentName;
    const waitMs = connection.openedAtMs + FIRST_SEND_DELAY_MS - clock.nowMs();
    if (open || waitMs <= 0) this.#early = undefined;
    else this.#wait(clock, connection.openedAtMs + FIRST_SEND_DELAY_MS);
  }

  /** @throws BridgeError AGENT_STALLED when too much waits already for an agent that does not read */
  command(unit: WireUnit): void {
    if (this.#early) {
      if (this.#early.length >= MAX_EARLY) throw this.#full(`${MAX_EARLY} commands`);
      this.#early.push(unit);
      return;
    }
    if (this.#connection.unsentBytes > MAX_UNSENT_BYTES)
      throw this.#full(`${this.#connection.unsentBytes} bytes`);
    this.#connection.send(unit);
  }

  /** Forgets what waits. */
  close(): void {
    this.#timer?.cancel();
    this.#early = undefined;
  }

  #wait(clock: Clock, untilMs: number): void {
    this.#waits += 1;
    this.#timer = clock.after(untilMs - clock.nowMs(), () => {
      const nowMs = clock.nowMs();
      const stalled = nowMs - untilMs > STALL_MS && this.#waits < MAX_WAITS;
      if (stalled) this.#wait(clock, nowMs + FIRST_SEND_DELAY_MS);
      else this.#flush();
    });
  }

  #flush(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const unit of early) this.#connection.send(unit);
  }

  #full(amount: string): BridgeError {
    return new BridgeError(
      'AGENT_STALLED',
      `${amount} wait already for agent ${this.#agentName}; the command was not sent.`,
    );
  }
}

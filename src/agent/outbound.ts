import type { Clock, Timer } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Connection } from './connection.js';
import { FIRST_SEND_DELAY_MS, type WireUnit } from './wire.js';

/** Command lines that may wait for the first moment at which sending is safe. */
const MAX_EARLY = 1000;
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

  /** @param open true for a connection that has long been open: nothing waits */
  constructor(connection: Connection, clock: Clock, agentName: string, open: boolean) {
    this.#connection = connection;
    this.#agentName = agentName;
    const waitMs = connection.openedAtMs + FIRST_SEND_DELAY_MS - clock.nowMs();
    if (open || waitMs <= 0) this.#early = undefined;
    else this.#timer = clock.after(waitMs, () => this.#flush());
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

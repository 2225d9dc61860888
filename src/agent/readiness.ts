import type { Clock, Timer } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import { isProbeAnswer, probeCommand, type AgentMessage } from './wire.js';

/** The first probe goes out so long after the upgrade, in ms (protocol.md §5). */
const FIRST_PROBE_MS = 60;
/** …and again so often until it is answered (protocol.md §5). */
const PROBE_EVERY_MS = 50;
/** When a model has kept everyone waiting this long, it is asked for more rarely. */
const EAGER_FOR_MS = 10_000;
const PATIENT_EVERY_MS = 500;
/** Tell the one who waits that it takes long. */
const TELL_AFTER_MS = 1000;

/** What readiness needs. */
export interface ReadinessOptions {
  readonly clock: Clock;
  /** Monotonic ms of the upgrade. */
  readonly openedAtMs: number;
  readonly timeoutMs: number;
  readonly agentName: string;
  send(line: string): void;
}

interface Probe {
  readonly sinceMs: number;
  timer: Timer | undefined;
  waiters: { resolve(): void; reject(error: unknown): void }[];
}

/**
 * Finds out when a model can speak (protocol.md §5): a harmless lip command is answered only once the model is loaded
 * and the program runs its main loop. Sound sent before would be dropped in silence.
 */
export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #ready = new Set<string>();
  readonly #probes = new Map<string, Probe>();
  #closed: BridgeError | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** True once the model has answered on this connection. */
  isReady(alias: string): boolean {
    return this.#ready.has(alias);
  }

  /** Takes a model's readiness as known. */
  assume(alias: string): void {
    this.#ready.add(alias);
  }

  /**
   * Settles when the model has answered. The probing goes on after a wait was given up, as long as the connection
   * lives: a model that is loaded later is noticed.
   * @param waiting is told, once, when it takes long
   * @throws BridgeError MODEL_NOT_READY after the timeout, AGENT_LOST, or the signal's reason
   */
  async wait(alias: string, signal?: AbortSignal, waiting?: (message: string) => void): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closed) throw this.#closed;
    if (this.#ready.has(alias)) return;
    const { clock, agentName, timeoutMs } = this.#options;
    const probe = this.#probes.get(alias) ?? this.#begin(alias);
    const timers: Timer[] = [];
    let waiter: Probe['waiters'][number] | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { resolve, reject };
        probe.waiters.push(waiter);
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        timers.push(
          clock.after(TELL_AFTER_MS, () =>
            waiting?.(`Waiting for model ${alias} of agent ${agentName} to be loaded.`),
          ),
          clock.after(timeoutMs, () =>
            reject(
              new BridgeError(
                'MODEL_NOT_READY',
                `Agent ${agentName} has not loaded a model with the alias ${alias} within ${timeoutMs} ms.`,
              ),
            ),
          ),
        );
      });
    } finally {
      for (const timer of timers) timer.cancel();
      probe.waiters = probe.waiters.filter((other) => other !== waiter);
    }
  }

  /** Looks at a message for the answer. */
  onMessage(message: AgentMessage): void {
    for (const [alias, probe] of this.#probes) {
      if (!isProbeAnswer(message, alias)) continue;
      probe.timer?.cancel();
      this.#probes.delete(alias);
      this.#ready.add(alias);
      for (const waiter of probe.waiters) waiter.resolve();
    }
  }

  /** The connection is gone: every wait ends with `reason`. */
  close(reason: BridgeError): void {
    this.#closed = reason;
    for (const probe of this.#probes.values()) {
      probe.timer?.cancel();
      for (const waiter of probe.waiters) waiter.reject(reason);
    }
    this.#probes.clear();
  }

  #begin(alias: string): Probe {
    const { clock, openedAtMs } = this.#options;
    const nowMs = clock.nowMs();
    const probe: Probe = { sinceMs: nowMs, timer: undefined, waiters: [] };
    this.#probes.set(alias, probe);
    const fire = (): void => {
      const waitedMs = clock.nowMs() - probe.sinceMs;
      probe.timer = clock.after(waitedMs < EAGER_FOR_MS ? PROBE_EVERY_MS : PATIENT_EVERY_MS, fire);
      try {
        this.#options.send(probeCommand(alias));
      } catch {
        // An agent that has stopped reading is asked again at the next turn.
      }
    };
    const firstAtMs = openedAtMs + FIRST_PROBE_MS;
    if (nowMs >= firstAtMs) fire();
    else probe.timer = clock.after(firstAtMs - nowMs, fire);
    return probe;
  }
}

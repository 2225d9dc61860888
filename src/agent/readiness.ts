import type { Clock, Timer } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import { isProbeAnswer, probeCommand, type AgentMessage, type LogLine } from './wire.js';

/** Delay of the first probe after the upgrade, in ms (protocol.md §5). */
const FIRST_PROBE_MS = 60;
/** Interval of further probes until one is answered, in ms (protocol.md §5). */
const PROBE_EVERY_MS = 50;
/** Waiting time, in ms, after which a model is probed less often. */
const EAGER_FOR_MS = 10_000;
const PATIENT_EVERY_MS = 500;
/** Waiting time, in ms, after which the caller is told that it takes long. */
const TELL_AFTER_MS = 1000;

/** Messages of the avatar's log about its sound engine (protocol.md §5); each is a line of the module Remote. */
const SOUND_OPEN = 'openstream ok';
const SOUND_FAILED =
  /^failed to (?:load config file|startup engine|initialize audio device|open audio stream)/;
const CONNECTED = /^connected to /;

/** Options of the readiness check. */
export interface ReadinessOptions {
  readonly clock: Clock;
  /** Monotonic ms of the upgrade. */
  readonly openedAtMs: number;
  /** Time after the upgrade at which the sound device counts as open when the avatar does not report it, in ms. */
  readonly firstSoundMs: number;
  readonly timeoutMs: number;
  readonly agentName: string;
  send(line: string): void;
}

/**
 * State of the sound device. `timed`: unknown, so that only time can tell; `opening`: the avatar sends its log, which
 * will report it; `open` and `failed`: reported; `used`: another process has spoken through it.
 */
type SoundState = 'timed' | 'opening' | 'open' | 'failed' | 'used';

/** A pending wait. */
interface Wait {
  done(): boolean;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly tell: (() => void) | undefined;
  timedOut(): BridgeError;
  /** Starts the condition to wait for, unless it is met already. */
  start?(): void;
}

/**
 * Finds out when an avatar can be heard (protocol.md §5). Model: a harmless lip command is answered only once the model
 * is loaded and the program runs its main loop. Sound device: it is opened after the connection, and only the avatar's
 * log reports it. Sound sent before either would be dropped silently.
 */
export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #ready = new Set<string>();
  /** Models being probed, with the timer of the next probe. */
  readonly #probes = new Map<string, Timer>();
  readonly #checks = new Set<() => void>();
  #sound: SoundState = 'timed';
  #closed: BridgeError | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** True once the model has answered on this connection, for as long as it is loaded. */
  isReady(alias: string): boolean {
    return this.#ready.has(alias);
  }

  /** True when the avatar itself has reported that its sound device is open. */
  get soundConfirmed(): boolean {
    return this.#sound === 'open';
  }

  /** Marks a model and the sound device as ready without a probe. */
  assume(alias: string): void {
    this.#ready.add(alias);
    this.#sound = 'used';
  }

  /**
   * Settles when the model has answered and the sound device is open. Probing continues after a wait was given up, as
   * long as the connection lives: a model that loads later is noticed.
   * @param waiting called once when it takes long
   * @throws BridgeError MODEL_NOT_READY after the timeout, SOUND_DEVICE_FAILED, AGENT_LOST, or the signal's reason
   */
  async wait(alias: string, signal?: AbortSignal, waiting?: (message: string) => void): Promise<void> {
    const { agentName, timeoutMs, firstSoundMs, openedAtMs, clock } = this.#options;
    const notReady = (what: string): BridgeError =>
      new BridgeError('MODEL_NOT_READY', `Agent ${agentName} has not ${what} within ${timeoutMs} ms.`);
    while (!this.#ready.has(alias) || !this.#soundOpen) {
      await this.#until({
        signal,
        timeoutMs,
        done: () => this.#ready.has(alias),
        tell: waiting && (() => waiting(`Waiting for model ${alias} of agent ${agentName} to be loaded.`)),
        timedOut: () => notReady(`loaded a model with the alias ${alias}`),
        start: () => this.#probe(alias),
      });
      const wake = clock.after(openedAtMs + firstSoundMs - clock.nowMs(), () => this.#check());
      try {
        await this.#until({
          signal,
          timeoutMs: Math.max(timeoutMs, firstSoundMs + 1),
          done: () => this.#soundOpen,
          tell: waiting && (() => waiting(`Waiting for agent ${agentName} to open its sound device.`)),
          timedOut: () => notReady('opened its sound device'),
        });
      } finally {
        wake.cancel();
      }
    }
  }

  /**
   * Updates the readiness from a message of the avatar.
   * @returns the alias of a ready model that was deleted
   */
  onMessage(message: AgentMessage): string | undefined {
    if (message.log) this.#onLog(message.log);
    const [alias = ''] = message.args;
    if (message.type === 'MODEL_EVENT_DELETE' && this.#ready.delete(alias)) return alias;
    if (!isProbeAnswer(message, alias) || !this.#probes.has(alias)) return undefined;
    this.#probes.get(alias)?.cancel();
    this.#probes.delete(alias);
    this.#ready.add(alias);
    this.#check();
    return undefined;
  }

  /** Ends every wait with `reason`, since the connection is lost. */
  close(reason: BridgeError): void {
    this.#closed = reason;
    for (const timer of this.#probes.values()) timer.cancel();
    this.#probes.clear();
    this.#check();
  }

  get #soundOpen(): boolean {
    if (this.#sound !== 'timed') return this.#sound === 'open' || this.#sound === 'used';
    const { clock, openedAtMs, firstSoundMs } = this.#options;
    return clock.nowMs() >= openedAtMs + firstSoundMs;
  }

  /** The log begins with lines from before this connection: only those after `connected to` belong to it. */
  #onLog({ module, text }: LogLine): void {
    const said = module === 'Remote' ? text : '';
    if (this.#sound === 'timed' || CONNECTED.test(said)) this.#sound = 'opening';
    if (said === SOUND_OPEN) this.#sound = 'open';
    if (SOUND_FAILED.test(said) && this.#sound === 'opening') this.#sound = 'failed';
    this.#check();
  }

  #check(): void {
    for (const check of [...this.#checks]) check();
  }

  async #until(wait: Wait): Promise<void> {
    const { signal, timeoutMs, tell } = wait;
    signal?.throwIfAborted();
    if (this.#closed) throw this.#closed;
    if (wait.done()) return;
    wait.start?.();
    const { clock, agentName } = this.#options;
    const ends: (() => void)[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const check = (): void => {
          if (this.#closed) reject(this.#closed);
          else if (this.#sound === 'failed') reject(soundFailed(agentName));
          else if (wait.done()) resolve();
        };
        const onAbort = (): void => reject(signal?.reason as Error);
        const slow = tell && clock.after(TELL_AFTER_MS, tell);
        const late = clock.after(timeoutMs, () => reject(wait.timedOut()));
        this.#checks.add(check);
        signal?.addEventListener('abort', onAbort, { once: true });
        ends.push(
          () => this.#checks.delete(check),
          () => signal?.removeEventListener('abort', onAbort),
          () => late.cancel(),
          () => slow?.cancel(),
        );
        check();
      });
    } finally {
      for (const end of ends) end();
    }
  }

  #probe(alias: string): void {
    if (this.#probes.has(alias)) return;
    const { clock, openedAtMs } = this.#options;
    const sinceMs = clock.nowMs();
    const fire = (): void => {
      const waitedMs = clock.nowMs() - sinceMs;
      this.#probes.set(alias, clock.after(waitedMs < EAGER_FOR_MS ? PROBE_EVERY_MS : PATIENT_EVERY_MS, fire));
      try {
        this.#options.send(probeCommand(alias));
      } catch {
        // An agent that has stopped reading is probed again in the next round.
      }
    };
    const firstAtMs = openedAtMs + FIRST_PROBE_MS;
    if (sinceMs >= firstAtMs) fire();
    else this.#probes.set(alias, clock.after(firstAtMs - sinceMs, fire));
  }
}

function soundFailed(agentName: string): BridgeError {
  return new BridgeError(
    'SOUND_DEVICE_FAILED',
    `Agent ${agentName} says in its log that it could not open its sound device.`,
  );
}

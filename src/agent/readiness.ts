import type { Clock, Timer } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import { isProbeAnswer, probeCommand, type AgentMessage, type LogLine } from './wire.js';

/** The first probe goes out so long after the upgrade, in ms (protocol.md §5). */
const FIRST_PROBE_MS = 60;
/** …and again so often until it is answered (protocol.md §5). */
const PROBE_EVERY_MS = 50;
/** When a model has kept everyone waiting this long, it is asked for more rarely. */
const EAGER_FOR_MS = 10_000;
const PATIENT_EVERY_MS = 500;
/** Tell the one who waits that it takes long. */
const TELL_AFTER_MS = 1000;

/** What the avatar's log says of its sound engine (protocol.md §5); each is a line of the module Remote. */
const SOUND_OPEN = 'openstream ok';
const SOUND_FAILED =
  /^failed to (?:load config file|startup engine|initialize audio device|open audio stream)/;
const CONNECTED = /^connected to /;

/** What readiness needs. */
export interface ReadinessOptions {
  readonly clock: Clock;
  /** Monotonic ms of the upgrade. */
  readonly openedAtMs: number;
  /** How long after the upgrade the sound device counts as open when the avatar does not tell, in ms. */
  readonly firstSoundMs: number;
  readonly timeoutMs: number;
  readonly agentName: string;
  send(line: string): void;
}

/**
 * What is known of the sound device. `timed`: nothing, so that time has to do; `opening`: the avatar sends its log, which
 * will tell; `open` and `failed`: it has told; `used`: another process has spoken through it.
 */
type SoundState = 'timed' | 'opening' | 'open' | 'failed' | 'used';

/** What somebody waits for. */
interface Wait {
  done(): boolean;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly tell: (() => void) | undefined;
  timedOut(): BridgeError;
  /** Begins what has to be awaited, unless it is done already. */
  start?(): void;
}

/**
 * Finds out when an avatar can be heard (protocol.md §5). Its model: a harmless lip command is answered only once the
 * model is loaded and the program runs its main loop. Its sound device: it is opened after the connection, and only the
 * avatar's log tells when. Sound sent before either would be dropped in silence.
 */
export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #ready = new Set<string>();
  /** Models that are asked for, with the timer of the next probe. */
  readonly #probes = new Map<string, Timer>();
  readonly #checks = new Set<() => void>();
  #sound: SoundState = 'timed';
  #closed: BridgeError | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** True once the model has answered on this connection, and as long as it is loaded. */
  isReady(alias: string): boolean {
    return this.#ready.has(alias);
  }

  /** True when the avatar itself has told that its sound device is open. */
  get soundConfirmed(): boolean {
    return this.#sound === 'open';
  }

  /** Takes a model's readiness, and that of the sound device, as known. */
  assume(alias: string): void {
    this.#ready.add(alias);
    this.#sound = 'used';
  }

  /**
   * Settles when the model has answered and the sound device is open. The probing goes on after a wait was given up, as
   * long as the connection lives: a model that is loaded later is noticed.
   * @param waiting is told, once, when it takes long
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
   * Looks at a message for what it says of the avatar.
   * @returns the alias of a model that was ready and has gone
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

  /** The connection is gone: every wait ends with `reason`. */
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

  /** The log begins with what was written before this connection: only what follows `connected to` is of it. */
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
        // An agent that has stopped reading is asked again at the next turn.
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

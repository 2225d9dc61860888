import { BridgeError, toBridgeError } from '../base/errors.js';
import { isPerformed } from './performing.js';
import { blockMs, type PcmBlock, type Sound, type SoundContext, type SoundInfo } from '../audio/pcm.js';

/** Maximum lag of a branch behind the fastest, in ms of sound; then the branch ends. */
const MAX_BEHIND_MS = 5000;

interface Branch {
  queue: PcmBlock[];
  queuedMs: number;
  context: SoundContext | undefined;
  ended: boolean;
  error: unknown;
  wake: (() => void) | undefined;
}

/**
 * Shares one sound among several listeners. The sound is opened and read once, at the pace of the fastest. A
 * slow branch that lags too far ends with an error and does not hold up the others. The source is freed when
 * all branches have ended.
 * @param count number of branches
 * @returns one sound per branch; each is opened once. A sound that the agents make themselves is returned
 * unchanged for all.
 */
export function broadcast(sound: Sound, count: number): Sound[] {
  if (isPerformed(sound)) return Array.from({ length: count }, () => sound);
  const source = new Broadcast(sound, count);
  return Array.from({ length: count }, (_, index) => ({
    get label() {
      return sound.label;
    },
    live: sound.live,
    burstMs: sound.burstMs ?? 0,
    open: (context) => source.open(index, context),
  }));
}

class Broadcast {
  readonly #sound: Sound;
  readonly #branches: Branch[];
  readonly #abort = new AbortController();
  #info: SoundInfo | undefined;
  #reading = false;
  #hungry: (() => void) | undefined;

  constructor(sound: Sound, count: number) {
    this.#sound = sound;
    this.#branches = Array.from({ length: count }, () => ({
      queue: [],
      queuedMs: 0,
      context: undefined,
      ended: false,
      error: undefined,
      wake: undefined,
    }));
  }

  async *open(index: number, context: SoundContext): AsyncGenerator<PcmBlock, void, undefined> {
    const branch = this.#branches[index]!;
    branch.context = context;
    if (this.#info) context.info(this.#info);
    const onAbort = (): void => branch.wake?.();
    context.signal.addEventListener('abort', onAbort, { once: true });
    if (!this.#reading) {
      this.#reading = true;
      void this.#read();
    }
    try {
      while (!context.signal.aborted) {
        const block = branch.queue.shift();
        if (block) {
          branch.queuedMs -= blockMs(block);
          yield block;
          continue;
        }
        if (branch.error !== undefined) throw branch.error as Error;
        if (branch.ended) return;
        await new Promise<void>((resolve) => {
          branch.wake = resolve;
          this.#hungry?.();
        });
      }
    } finally {
      context.signal.removeEventListener('abort', onAbort);
      branch.ended = true;
      branch.queue = [];
      if (this.#branches.every(({ ended }) => ended)) this.#abort.abort(new Error('nobody listens'));
      this.#hungry?.();
    }
  }

  async #read(): Promise<void> {
    const { signal } = this.#abort;
    let error: unknown;
    try {
      const blocks = this.#sound.open({
        signal,
        info: (info) => {
          this.#info = info;
          for (const { context } of this.#branches) context?.info(info);
        },
        warn: (message) => {
          for (const { context } of this.#branches) context?.warn(message);
        },
      });
      for await (const block of blocks) {
        if (signal.aborted) return;
        this.#deliver(block);
        if (!this.#sound.live) await this.#wantMore();
      }
    } catch (caught) {
      error = toBridgeError(caught, 'SOURCE_FAILED', `${this.#sound.label} broke off`);
    }
    for (const branch of this.#branches) {
      branch.error ??= error;
      branch.ended = true;
      branch.wake?.();
    }
  }

  #deliver(block: PcmBlock): void {
    const lengthMs = blockMs(block);
    for (const branch of this.#branches) {
      if (branch.ended) continue;
      if (branch.queuedMs > 0 && branch.queuedMs + lengthMs > MAX_BEHIND_MS) {
        branch.error = new BridgeError(
          'AGENT_STALLED',
          `One agent fell ${Math.round(branch.queuedMs)} ms behind the others of ${this.#sound.label} and was left behind.`,
        );
        branch.ended = true;
      } else {
        branch.queue.push(block);
        branch.queuedMs += lengthMs;
      }
      branch.wake?.();
    }
  }

  /** Settles when a branch has taken everything it was given. */
  async #wantMore(): Promise<void> {
    const wanted = (): boolean => {
      const open = this.#branches.filter(({ ended }) => !ended);
      return open.length === 0 || open.some(({ queue }) => queue.length === 0);
    };
    while (!wanted()) await new Promise<void>((resolve) => (this.#hungry = resolve));
    this.#hungry = undefined;
  }
}

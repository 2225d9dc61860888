import type { Clock } from '../../base/clock.js';
import { BridgeError } from '../../base/errors.js';
import type { Flow } from './flow.js';

/** Overhead of an entry beside its bytes: a client that sends single bytes must not fill the memory with entries. */
const ENTRY_BYTES = 64;

/** Options of the intake of one speech's sound. */
export interface IntakeOptions {
  readonly clock: Clock;
  /** Flow control that counts the held bytes. */
  readonly flow: Flow;
  /** Name in messages. */
  readonly label: string;
  /** Maximum silence while more data is wanted, in ms. */
  readonly idleMs: number;
  /**
   * Headerless live sound that waits longer than its limit loses its oldest part, in whole `frameBytes`, so that the rest
   * stays aligned. Other sound cannot be cut, and its sender must wait.
   */
  readonly live?: { readonly maxBytes: number; readonly frameBytes: number };
  /** Called when everything before a mark was taken. */
  onMark(mark: StreamMark): void;
  /** Called with the number of dropped bytes of live sound. */
  onDrop(bytes: number): void;
}

/** A mark as the client sent it. */
export interface StreamMark {
  readonly name: string;
  readonly ref: string | undefined;
}

type Entry = Uint8Array | StreamMark;

/** Queue of one speech's bytes between a socket and the decoder, with the client's marks in between. */
export class Intake implements AsyncIterable<Uint8Array> {
  readonly #options: IntakeOptions;
  #queue: Entry[] = [];
  #bytes = 0;
  /** Bytes that it has added to the flow. */
  #heldBytes = 0;
  #state: 'open' | 'ended' | 'closed' = 'open';
  #failure: BridgeError | undefined;
  #wake: (() => void) | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** True until its end. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Adds sound. */
  push(bytes: Uint8Array): void {
    if (this.#state !== 'open' || bytes.length === 0) return;
    this.#add(bytes, bytes.length);
    const { live } = this.#options;
    if (live && this.#bytes > live.maxBytes) this.#dropOldest(live.maxBytes / 2, live.frameBytes);
  }

  /** Adds a mark behind the sound so far. */
  mark(mark: StreamMark): void {
    if (this.#state === 'open') this.#add(mark, 0);
  }

  /** Ends the sound. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#wake?.();
  }

  /** Discards the queue. @returns the marks that were not reached */
  close(): StreamMark[] {
    const marks = this.#queue.filter((entry): entry is StreamMark => !(entry instanceof Uint8Array));
    this.#state = 'closed';
    this.#queue = [];
    this.#options.flow.add(-this.#heldBytes);
    this.#heldBytes = 0;
    this.#bytes = 0;
    this.#wake?.();
    return marks;
  }

  /** @throws BridgeError SOURCE_FAILED after too long a silence */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const entry of this.entries()) {
      if (entry instanceof Uint8Array) yield entry;
      else this.#options.onMark(entry);
    }
  }

  /** Iterates over bytes and marks in order; `onMark` is not called. @throws as the iteration of the bytes */
  async *entries(): AsyncGenerator<Uint8Array | StreamMark, void, undefined> {
    for (;;) {
      const entry = this.#take();
      if (entry !== undefined) yield entry;
      else if (this.#failure) throw this.#failure;
      else if (this.#state !== 'open') return;
      else await this.#more();
    }
  }

  #add(entry: Entry, bytes: number): void {
    this.#queue.push(entry);
    this.#bytes += bytes;
    this.#held(bytes + ENTRY_BYTES);
    this.#wake?.();
  }

  #take(): Entry | undefined {
    const entry = this.#queue.shift();
    if (entry === undefined) return undefined;
    const bytes = entry instanceof Uint8Array ? entry.length : 0;
    this.#bytes -= bytes;
    this.#held(-bytes - ENTRY_BYTES);
    return entry;
  }

  #held(bytes: number): void {
    this.#heldBytes += bytes;
    this.#options.flow.add(bytes);
  }

  #dropOldest(keepBytes: number, frameBytes: number): void {
    const dropped = Math.ceil((this.#bytes - keepBytes) / frameBytes) * frameBytes;
    let left = Math.min(dropped, this.#bytes - (this.#bytes % frameBytes));
    const total = left;
    while (left > 0) {
      const entry = this.#queue[0]!;
      if (entry instanceof Uint8Array && entry.length > left) {
        this.#queue[0] = entry.subarray(left);
        this.#bytes -= left;
        this.#held(-left);
        left = 0;
      } else {
        this.#take();
        if (entry instanceof Uint8Array) left -= entry.length;
        else this.#options.onMark(entry);
      }
    }
    this.#options.onDrop(total);
  }

  async #more(): Promise<void> {
    const { clock, idleMs, label } = this.#options;
    const idle = clock.after(idleMs, () => {
      this.#failure = new BridgeError(
        'SOURCE_FAILED',
        `${label} was silent for ${idleMs} ms before its end.`,
      );
      this.end();
    });
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    idle.cancel();
  }
}

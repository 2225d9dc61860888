import { closeSync, existsSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { SAMPLES_PER_MS } from '../base/units.js';

/** Maximum number of held connections. */
export const MAX_SLOTS = 65_536;
/** Bytes of a head: the part that changes with every frame. All heads are adjacent, so that one write covers several. */
const HEAD_BYTES = 32;
const HEADS_PER_BLOCK = 256;
/** Offset of the facts, one page of memory a connection, after the heads. */
const FACTS_AT = MAX_SLOTS * HEAD_BYTES;
const PAGE_BYTES = 4096;
/** Time after the avatar has run dry at which it has certainly dropped the samples in doubt, in ms. */
const DOUBT_ENDS_MS = 500;
/** Maximum length of facts; longer ones are not stored. */
const MAX_FACTS_BYTES = PAGE_BYTES - 2;

/**
 * Progress of a connection. `fresh`: no worker has read from it; `request`: a worker reads its request; `answering`: the
 * 101 is being written; `open`: it carries WebSocket frames.
 */
export type Stage = 'fresh' | 'request' | 'answering' | 'open';
const STAGES: readonly Stage[] = ['fresh', 'request', 'answering', 'open'];

/** State of a connection as stored by a worker before it ended. Times are `sharedNowMs`. */
export interface SlotState {
  readonly stage: Stage;
  readonly openedAtMs: number;
  /** Samples sent since the last segment end. */
  readonly segmentSamples: number;
  /** True when the worker ended during a write: the last frame of those samples may not have left. */
  readonly inDoubt: boolean;
  /** Time at which the avatar has played all it was sent. */
  readonly dryAtMs: number;
  /** True when the worker had stopped reading between two messages. */
  readonly inboundWhole: boolean;
  /** Further data for the successor, as JSON. */
  readonly facts: unknown;
}

/** Start of this process on the machine's monotonic clock, in ms. */
const PROCESS_START_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Returns monotonic ms that are the same in every process of this machine. */
export function sharedNowMs(): number {
  return PROCESS_START_MS + performance.now();
}

/** Heads of adjacent slots, as last written by this process. */
interface Block {
  readonly firstSlot: number;
  readonly heads: Buffer;
  /** 1 for each slot that this process writes. Slots of other processes may lie in between. */
  readonly own: Uint8Array;
  /** Range of slots within the block to be written: start and end (exclusive). */
  from: number;
  to: number;
}

/**
 * State of each connection for a worker's successor, stored by the worker as it changes: in an unnamed file in memory,
 * because SIGKILL leaves no time to store anything. A write takes a microsecond or two (`npm run bench`, keeper). Only a
 * successor reads it. The keeper itself only clears slots.
 */
export class SharedState {
  readonly fd: number;
  readonly #path: string | undefined;
  readonly #blocks: Block[] = [];
  readonly #unwritten: Block[] = [];

  /** @param fd of a shared state made by another process */
  constructor(fd: number, path?: string) {
    this.fd = fd;
    this.#path = path;
  }

  /** Creates a shared state. Where an open file cannot be unlinked (Windows), `close` removes it. */
  static create(): SharedState {
    const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const path = join(folder, `mmdagent-bridge-${randomUUID()}`);
    const fd = openSync(path, 'wx+', 0o600);
    try {
      unlinkSync(path);
      return new SharedState(fd);
    } catch {
      return new SharedState(fd, path);
    }
  }

  /** Clears a slot: it is `fresh` again. */
  clear(slot: number): void {
    writeSync(this.fd, EMPTY_HEAD, 0, HEAD_BYTES, slot * HEAD_BYTES);
    writeSync(this.fd, EMPTY_HEAD, 0, 2, FACTS_AT + slot * PAGE_BYTES);
  }

  /** Reads the state of a slot. */
  read(slot: number): SlotState {
    const head = Buffer.alloc(HEAD_BYTES);
    readSync(this.fd, head, 0, HEAD_BYTES, slot * HEAD_BYTES);
    const page = Buffer.alloc(PAGE_BYTES);
    readSync(this.fd, page, 0, PAGE_BYTES, FACTS_AT + slot * PAGE_BYTES);
    return {
      stage: STAGES[head[0]!] ?? 'fresh',
      openedAtMs: head.readDoubleLE(16),
      segmentSamples: head.readUInt32LE(4),
      inDoubt: head[1] === 1,
      dryAtMs: head.readDoubleLE(24),
      inboundWhole: head[2] === 1,
      facts: parsed(page.toString('utf8', 2, 2 + page.readUInt16LE(0))),
    };
  }

  /** Returns the writer of a slot, starting from its current state. Close it before another process writes the slot. */
  writer(slot: number): SlotWriter {
    const index = Math.floor(slot / HEADS_PER_BLOCK);
    const block = (this.#blocks[index] ??= {
      firstSlot: index * HEADS_PER_BLOCK,
      heads: Buffer.alloc(HEADS_PER_BLOCK * HEAD_BYTES),
      own: new Uint8Array(HEADS_PER_BLOCK),
      from: Infinity,
      to: -1,
    });
    return new SlotWriter(this, block, slot);
  }

  /** @internal Writes a slot's head at the end of this turn of the event loop, together with all others that changed. */
  writeSoon(block: Block, index: number): void {
    if (this.#unwritten.length === 0) queueMicrotask(() => this.#writeAll());
    if (block.to < 0) this.#unwritten.push(block);
    block.from = Math.min(block.from, index);
    block.to = Math.max(block.to, index);
  }

  #writeAll(): void {
    for (const block of this.#unwritten.splice(0)) {
      const { heads, own, from, to } = block;
      block.from = Infinity;
      block.to = -1;
      for (let at = from; at <= to; at += 1) {
        const start = at;
        while (at <= to && own[at] === 1) at += 1;
        if (at > start)
          writeSync(
            this.fd,
            heads,
            start * HEAD_BYTES,
            (at - start) * HEAD_BYTES,
            (block.firstSlot + start) * HEAD_BYTES,
          );
      }
    }
  }

  close(): void {
    closeSync(this.fd);
    if (this.#path !== undefined) unlinkSync(this.#path);
  }
}

const EMPTY_HEAD = Buffer.alloc(HEAD_BYTES);

/** Writer of one connection's state. Each write is small enough that a kill cannot tear it. */
export class SlotWriter {
  readonly #state: SharedState;
  readonly #block: Block;
  readonly #index: number;
  readonly #slot: number;
  readonly #head: Buffer;
  /** End of a doubt left by the previous process, which this one may leave to the next one. */
  readonly #doubtUntilMs: number;

  /** @internal See `SharedState.writer`. */
  constructor(state: SharedState, block: Block, slot: number) {
    this.#state = state;
    this.#block = block;
    this.#slot = slot;
    this.#index = slot - block.firstSlot;
    block.own[this.#index] = 1;
    this.#head = block.heads.subarray(this.#index * HEAD_BYTES, (this.#index + 1) * HEAD_BYTES);
    readSync(state.fd, this.#head, 0, HEAD_BYTES, slot * HEAD_BYTES);
    this.#doubtUntilMs =
      this.#head[1] === 1 ? Math.max(sharedNowMs(), this.#head.readDoubleLE(24)) + DOUBT_ENDS_MS : 0;
  }

  /** Stops writing: the slot belongs to another process, or is free. */
  close(): void {
    this.#write();
    this.#block.own[this.#index] = 0;
  }

  /** Stores the progress of the connection. */
  stage(stage: Stage): void {
    this.#head[0] = STAGES.indexOf(stage);
    if (stage === 'answering') this.#head.writeDoubleLE(sharedNowMs(), 16);
    this.#write();
  }

  /** Counts a frame before it is written to the socket, so that no frame leaves uncounted; `left` follows. */
  frame(samples: number): void {
    this.#head[1] = 1;
    const dryAtMs = Math.max(sharedNowMs(), this.#head.readDoubleLE(24)) + samples / SAMPLES_PER_MS;
    this.#head.writeUInt32LE((this.#head.readUInt32LE(4) + samples) >>> 0, 4);
    this.#head.writeDoubleLE(dryAtMs, 24);
    this.#write();
  }

  /**
   * Records that every counted frame has left. Written at the end of this turn of the event loop: a kill before that leaves
   * a doubt, which costs a wait but no sound.
   */
  left(): void {
    if (this.#doubtUntilMs > 0 && sharedNowMs() < this.#doubtUntilMs) return;
    this.#head[1] = 0;
    this.#state.writeSoon(this.#block, this.#index);
  }

  /** Records the end of a segment after it was written, so that a successor ends one twice rather than never. */
  ended(): void {
    this.#head.writeUInt32LE(0, 4);
    this.#write();
  }

  /** Continues from an earlier worker's state: the read position within a message is unknown. */
  takeOver(): void {
    this.#head[2] = 0;
    this.#write();
  }

  /** Records that reading has stopped after whole messages. */
  inboundWhole(): void {
    this.#head[2] = 1;
    this.#write();
  }

  /** Stores facts for a successor. @returns false when they are too long and were not stored */
  facts(facts: unknown): boolean {
    const json = Buffer.from(JSON.stringify(facts));
    if (json.length > MAX_FACTS_BYTES) return false;
    const line = Buffer.allocUnsafe(2 + json.length);
    line.writeUInt16LE(json.length);
    json.copy(line, 2);
    if (this.#block.own[this.#index] === 1)
      writeSync(this.#state.fd, line, 0, line.length, FACTS_AT + this.#slot * PAGE_BYTES);
    return true;
  }

  #write(): void {
    if (this.#block.own[this.#index] === 1)
      writeSync(this.#state.fd, this.#head, 0, HEAD_BYTES, this.#slot * HEAD_BYTES);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

import { closeSync, existsSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { SAMPLES_PER_MS } from '../base/units.js';

/** Connections that can be held at once. */
export const MAX_SLOTS = 65_536;
/** What changes with every frame, all slots' side by side, so that one write does for several. */
const HEAD_BYTES = 32;
const HEADS_PER_BLOCK = 256;
/** Behind the heads, one page of memory a connection, for the facts. */
const FACTS_AT = MAX_SLOTS * HEAD_BYTES;
const PAGE_BYTES = 4096;
/** So long after the avatar has run dry, in ms, it has dropped for certain what was in doubt. */
const DOUBT_ENDS_MS = 500;
/** Facts that are longer are not kept. */
const MAX_FACTS_BYTES = PAGE_BYTES - 2;

/**
 * How far a connection has come. `fresh`: no worker has read from it; `request`: one reads its request; `answering`: the
 * 101 is being written; `open`: it carries WebSocket frames.
 */
export type Stage = 'fresh' | 'request' | 'answering' | 'open';
const STAGES: readonly Stage[] = ['fresh', 'request', 'answering', 'open'];

/** What a worker wrote down of a connection before it ended. Times are `sharedNowMs`. */
export interface SlotState {
  readonly stage: Stage;
  readonly openedAtMs: number;
  /** Samples sent since the last segment end. */
  readonly segmentSamples: number;
  /** True when the worker ended in the midst of a write: the last frame of those samples may not have left. */
  readonly inDoubt: boolean;
  /** When the avatar has played all that it was sent. */
  readonly dryAtMs: number;
  /** True when the worker had stopped reading between two messages. */
  readonly inboundWhole: boolean;
  /** Whatever else the worker wanted its successor to know, as JSON. */
  readonly facts: unknown;
}

/** From the start of this process to that of the machine's clock, in ms. */
const PROCESS_START_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Monotonic milliseconds that mean the same in every process of this machine. */
export function sharedNowMs(): number {
  return PROCESS_START_MS + performance.now();
}

/** The heads of slots that follow each other, as this process last wrote them. */
interface Block {
  readonly firstSlot: number;
  readonly heads: Buffer;
  /** 1 for each slot that this process writes. Between two of its own may lie one of another process. */
  readonly own: Uint8Array;
  /** The slots within the block that are to be written: from, and up to. */
  from: number;
  to: number;
}

/**
 * What a worker's successor must know of each connection, written down by the worker as it happens: in a file without a
 * name that lives in memory, because SIGKILL leaves no time for last words. A line costs a microsecond or two
 * (`npm run bench`, keeper), and nobody reads it but a successor. The keeper itself only clears lines.
 */
export class SharedState {
  readonly fd: number;
  readonly #path: string | undefined;
  readonly #blocks: Block[] = [];
  readonly #unwritten: Block[] = [];

  /** @param fd of a shared state that another process has made */
  constructor(fd: number, path?: string) {
    this.fd = fd;
    this.#path = path;
  }

  /** Makes a new one. Where a file that is open cannot lose its name (Windows), `close` removes it. */
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

  /** Forgets a slot: it is `fresh`. */
  clear(slot: number): void {
    writeSync(this.fd, EMPTY_HEAD, 0, HEAD_BYTES, slot * HEAD_BYTES);
    writeSync(this.fd, EMPTY_HEAD, 0, 2, FACTS_AT + slot * PAGE_BYTES);
  }

  /** What stands under a slot. */
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

  /** Writes lines under a slot, going on from what stands there. Close it before another process writes them. */
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

  /** @internal Writes a slot's head at the end of this turn of the event loop, with all others that change in it. */
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

/** Writes down one connection's state. Each write is small enough that a kill cannot cut it in two. */
export class SlotWriter {
  readonly #state: SharedState;
  readonly #block: Block;
  readonly #index: number;
  readonly #slot: number;
  readonly #head: Buffer;
  /** A doubt of the process before, which this one may leave to the one after it. */
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

  /** Writes nothing any more: the slot is another process's, or free. */
  close(): void {
    this.#write();
    this.#block.own[this.#index] = 0;
  }

  /** It has come so far. */
  stage(stage: Stage): void {
    this.#head[0] = STAGES.indexOf(stage);
    if (stage === 'answering') this.#head.writeDoubleLE(sharedNowMs(), 16);
    this.#write();
  }

  /** A frame is about to be written to the socket. Counted before, so that no frame leaves uncounted; `left` follows. */
  frame(samples: number): void {
    this.#head[1] = 1;
    const dryAtMs = Math.max(sharedNowMs(), this.#head.readDoubleLE(24)) + samples / SAMPLES_PER_MS;
    this.#head.writeUInt32LE((this.#head.readUInt32LE(4) + samples) >>> 0, 4);
    this.#head.writeDoubleLE(dryAtMs, 24);
    this.#write();
  }

  /**
   * Every frame that was counted has left. Written at the end of this turn of the event loop: until then, a kill leaves a
   * doubt, which costs a wait and no sound.
   */
  left(): void {
    if (this.#doubtUntilMs > 0 && sharedNowMs() < this.#doubtUntilMs) return;
    this.#head[1] = 0;
    this.#state.writeSoon(this.#block, this.#index);
  }

  /** The end of a segment has been written. After it, so that a successor rather ends one twice than never. */
  ended(): void {
    this.#head.writeUInt32LE(0, 4);
    this.#write();
  }

  /** Goes on from what a previousWorker wrote: it is not known where in a message the reading is. */
  takeOver(): void {
    this.#head[2] = 0;
    this.#write();
  }

  /** Nothing more is read here, and what was read were whole messages. */
  inboundWhole(): void {
    this.#head[2] = 1;
    this.#write();
  }

  /** Keeps facts for a successor; those that are too long are left out, and false comes back. */
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

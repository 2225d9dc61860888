import { closeSync, existsSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { SAMPLES_PER_MS } from '../base/units.js';

/** One page of memory a connection. */
const SLOT_BYTES = 4096;
const HEAD_BYTES = 32;
/** So long after the avatar has run dry, in ms, it has dropped for certain what was in doubt. */
const DOUBT_ENDS_MS = 500;
/** Facts that are longer are not kept. */
const MAX_FACTS_BYTES = SLOT_BYTES - HEAD_BYTES - 2;

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

/** Monotonic milliseconds that mean the same in every process of this machine. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * What a worker's successor must know of each connection, written down by the worker as it happens: in a file without a
 * name that lives in memory, because SIGKILL leaves no time for last words. A line costs a microsecond or two
 * (`npm run bench`, keeper), and nobody reads it but a successor. The keeper itself only clears lines.
 */
export class SharedState {
  readonly fd: number;
  readonly #path: string | undefined;

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
    writeSync(this.fd, EMPTY, 0, EMPTY.length, slot * SLOT_BYTES);
  }

  /** What stands under a slot. */
  read(slot: number): SlotState {
    const page = Buffer.alloc(SLOT_BYTES);
    readSync(this.fd, page, 0, SLOT_BYTES, slot * SLOT_BYTES);
    const factsBytes = page.readUInt16LE(HEAD_BYTES);
    return {
      stage: STAGES[page[0]!] ?? 'fresh',
      openedAtMs: page.readDoubleLE(16),
      segmentSamples: page.readUInt32LE(4),
      inDoubt: page[1] === 1,
      dryAtMs: page.readDoubleLE(24),
      inboundWhole: page[2] === 1,
      facts: parsed(page.toString('utf8', HEAD_BYTES + 2, HEAD_BYTES + 2 + factsBytes)),
    };
  }

  /** Writes lines under a slot, going on from what stands there. */
  writer(slot: number): SlotWriter {
    return new SlotWriter(this.fd, slot);
  }

  close(): void {
    closeSync(this.fd);
    if (this.#path !== undefined) unlinkSync(this.#path);
  }
}

const EMPTY = Buffer.alloc(HEAD_BYTES + 2);

/** Writes down one connection's state. Each call is one small write, which a kill cannot cut in two. */
export class SlotWriter {
  readonly #fd: number;
  readonly #at: number;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  /** A doubt of the process before, which this one may leave to the one after it. */
  readonly #doubtUntilMs: number;

  constructor(fd: number, slot: number) {
    this.#fd = fd;
    this.#at = slot * SLOT_BYTES;
    readSync(fd, this.#head, 0, HEAD_BYTES, this.#at);
    this.#doubtUntilMs =
      this.#head[1] === 1 ? Math.max(sharedNowMs(), this.#head.readDoubleLE(24)) + DOUBT_ENDS_MS : 0;
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

  /** Every frame that was counted has left. */
  left(): void {
    if (this.#doubtUntilMs > 0 && sharedNowMs() < this.#doubtUntilMs) return;
    this.#head[1] = 0;
    this.#write();
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
    writeSync(this.#fd, line, 0, line.length, this.#at + HEAD_BYTES);
    return true;
  }

  #write(): void {
    writeSync(this.#fd, this.#head, 0, HEAD_BYTES, this.#at);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

import { open, type FileHandle } from 'node:fs/promises';
import wav from 'wav';
import { systemClock, type Clock } from '../base/clock.js';
import { BridgeError, toBridgeError } from '../base/errors.js';
import { SAMPLE_RATE_HZ } from '../base/units.js';

/** Options of a recording. */
export interface SaveOptions {
  readonly sampleRateHz?: number;
  readonly channels?: number;
  /** Maximum data waiting for a slow disk, in bytes; further sound is left out, counted and reported. */
  readonly maxBufferedBytes?: number;
  /** Interval at which the header is updated, in milliseconds: the most that a file lacks after a crash. */
  readonly headerEveryMs?: number;
  /** Called once when the recording has failed and ended, and once for each time sound was left out. */
  readonly onError?: (error: BridgeError) => void;
  readonly clock?: Clock;
}

/** Offsets of the two sizes in the header of the wav package: of the rest of the file, and of the samples. */
const RIFF_SIZE_AT = 4;
const DATA_SIZE_AT = 40;
const HEADER_BYTES = 44;
/** Maximum samples of a WAV file, in bytes, whose sizes have 32 bits: 37 hours in the agent's format. */
const MAX_DATA_BYTES = 0xffff_ffff - HEADER_BYTES;

/**
 * Writes samples to a WAV file that is valid at every moment: a reader, also after a crash, finds a header
 * that matches the data, at most a second behind. No method blocks or throws.
 */
export class WavRecording {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #writer: wav.Writer;
  readonly #maxBufferedBytes: number;
  readonly #headerEveryMs: number;
  readonly #onError: (error: BridgeError) => void;
  readonly #clock: Clock;
  /** Settles when all samples have come out of the writer. */
  readonly #ended: Promise<void>;
  readonly #closed: Promise<void>;
  #header = Buffer.alloc(0);
  #pending: Buffer[] = [];
  #acceptedBytes = 0;
  #fileBytes = 0;
  #droppedSamples = 0;
  #dropping = false;
  #writing: Promise<void> | undefined;
  #headerAtMs: number;
  #state: 'open' | 'closing' | 'failed' = 'open';

  private constructor(path: string, file: FileHandle, options: SaveOptions) {
    this.path = path;
    this.#file = file;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 4 * 1024 * 1024;
    this.#headerEveryMs = options.headerEveryMs ?? 1_000;
    this.#onError = options.onError ?? (() => undefined);
    this.#clock = options.clock ?? systemClock;
    this.#headerAtMs = this.#clock.nowMs();
    this.#writer = new wav.Writer({
      sampleRate: options.sampleRateHz ?? SAMPLE_RATE_HZ,
      channels: options.channels ?? 1,
      bitDepth: 16,
    });
    this.#writer.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#ended = new Promise((resolve) => void this.#writer.once('end', resolve));
    this.#closed = new Promise((resolve) => {
      this.#writer.once('header', (header: Buffer) => void this.#finish(header).then(resolve));
    });
  }

  /**
   * Creates the file and replaces an existing one.
   * @throws BridgeError SAVE_FAILED when it cannot be created
   */
  static async open(path: string, options: SaveOptions = {}): Promise<WavRecording> {
    let file: FileHandle;
    try {
      file = await open(path, 'w');
    } catch (error) {
      throw toBridgeError(error, 'SAVE_FAILED', `'${path}' cannot be written`);
    }
    return new WavRecording(path, file, options);
  }

  /** Samples left out so far, because the disk was too slow or the recording had failed. */
  get droppedSamples(): number {
    return this.#droppedSamples;
  }

  /** Takes samples and copies them, so they may change afterwards. Ignored after `close()`. */
  write(samples: Int16Array): void {
    if (this.#state === 'closing' || samples.length === 0) return;
    if (this.#state === 'failed') {
      this.#droppedSamples += samples.length;
      return;
    }
    if (this.#acceptedBytes + samples.byteLength > MAX_DATA_BYTES)
      return this.#fail(new Error('a WAV file cannot be larger'), samples.length);
    if (this.#acceptedBytes - this.#writtenBytes() + samples.byteLength > this.#maxBufferedBytes)
      return this.#drop(samples.length);
    this.#dropping = false;
    this.#acceptedBytes += samples.byteLength;
    this.#writer.write(
      Buffer.from(samples.buffer.slice(samples.byteOffset, samples.byteOffset + samples.byteLength)),
    );
  }

  /** Writes the rest and closes the file. Never rejects: a failure goes to `onError`. Safe to call again. */
  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#writer.end();
    }
    return this.#closed;
  }

  /** Separates the writer's first bytes, its header, from the sound. */
  #take(bytes: Buffer): void {
    if (this.#header.length === 0) this.#header = Buffer.from(withSizes(bytes, 0));
    this.#pending.push(bytes);
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#pending.length > 0 && this.#state !== 'failed') {
        const bytes = Buffer.concat(this.#pending.splice(0));
        await this.#writeFully(bytes, this.#fileBytes);
        this.#fileBytes += bytes.length;
        // Written after the samples, so that the header never exceeds the data.
        if (this.#clock.nowMs() - this.#headerAtMs >= this.#headerEveryMs) await this.#writeHeader();
      }
    } catch (error) {
      this.#fail(error, 0);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeHeader(): Promise<void> {
    this.#headerAtMs = this.#clock.nowMs();
    await this.#writeFully(withSizes(this.#header, this.#fileBytes - HEADER_BYTES), 0);
  }

  async #writeFully(bytes: Buffer, at: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, at + done);
      done += bytesWritten;
    }
  }

  /** @param header the final header of the wav package, with the sizes filled in */
  async #finish(header: Buffer): Promise<void> {
    try {
      await this.#ended;
      await this.#writing;
      // A full disk still has room for the header, which exists already.
      if (this.#state === 'failed') return await this.#writeHeader().catch(() => undefined);
      await this.#writeFully(header, 0);
    } catch (error) {
      this.#fail(error, 0);
    } finally {
      await this.#file.close().catch(() => undefined);
    }
  }

  #writtenBytes(): number {
    return Math.max(0, this.#fileBytes - HEADER_BYTES);
  }

  #drop(samples: number): void {
    this.#droppedSamples += samples;
    if (this.#dropping) return;
    this.#dropping = true;
    this.#onError(
      new BridgeError(
        'SAVE_FAILED',
        `The disk of '${this.path}' is too slow: parts of the recording are left out.`,
      ),
    );
  }

  #fail(error: unknown, samples: number): void {
    this.#droppedSamples += samples;
    if (this.#state === 'failed') return;
    const closing = this.#state === 'closing';
    this.#state = 'failed';
    this.#pending = [];
    if (!closing) this.#writer.end();
    this.#onError(toBridgeError(error, 'SAVE_FAILED', `The recording '${this.path}' ended early`));
  }
}

function withSizes(header: Buffer, dataBytes: number): Buffer {
  header.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, RIFF_SIZE_AT);
  header.writeUInt32LE(dataBytes, DATA_SIZE_AT);
  return header;
}

import { BridgeError } from '../../base/errors.js';
import { SAMPLE_RATE_HZ } from '../../base/units.js';
import type { Decode, EncodedChunk, PcmBlock, SoundContext } from '../pcm.js';
import { decodeWithFfmpeg } from './ffmpeg.js';
import { OggOpusLink } from './ogg-opus-link.js';
import { OggPages, type OggPage } from './ogg-pages.js';
import { OPUS_RATE_HZ, parseOpusHead } from './opus-packet.js';

/**
 * Decodes Opus in Ogg to 16 kHz. Chained files play through; other streams beside the sound are skipped.
 * Surround sound goes to ffmpeg, and so does a link of a chain that is not Opus, from its first page on.
 * @throws BridgeError SOUND_EMPTY, SOUND_BROKEN, and the errors of the ffmpeg decoder
 */
export const decodeOggOpus: Decode = async function* (chunks, label, context) {
  const stream = new PageStream(chunks);
  const sound = new OggOpus(label, context);
  try {
    for (let page = await stream.next(); page; page = await stream.next()) {
      const block = sound.push(page);
      if (block === 'foreign') {
        yield* decodeWithFfmpeg(stream.bytesFrom(page), label, sound.contextForRest());
        return;
      }
      if (block) yield block;
    }
    sound.end(stream);
  } finally {
    sound.close();
    await stream.close();
  }
};

/** Decodes the links of a chain in order. */
class OggOpus {
  readonly #label: string;
  readonly #context: SoundContext;
  #link: OggOpusLink | undefined;
  #delivered = false;
  #told = false;
  #missingMs = 0;
  #lostPackets = 0;

  constructor(label: string, context: SoundContext) {
    this.#label = label;
    this.#context = context;
  }

  /** @returns sound, or undefined, or 'foreign' when the page begins a stream that is not supported here */
  push(page: OggPage): PcmBlock | 'foreign' | undefined {
    if (page.first && page.intact && !this.#link?.isInHead) {
      const head = parseOpusHead(page.body);
      if (!head?.isSimple) return 'foreign';
      this.#closeLink();
      this.#link = new OggOpusLink(head, page);
      if (!this.#told)
        this.#context.info({ format: 'Ogg Opus', sampleRateHz: OPUS_RATE_HZ, channels: head.channels });
      this.#told = true;
      return undefined;
    }
    if (page.serial !== this.#link?.serial) return undefined;
    const samples = this.#link.push(page);
    if (samples.length === 0) return undefined;
    this.#delivered = true;
    return { samples, sampleRateHz: SAMPLE_RATE_HZ, channels: this.#link.channels };
  }

  /** Returns the context for the next decoder; the description of the sound has already been reported. */
  contextForRest(): SoundContext {
    if (!this.#told) return this.#context;
    const { signal } = this.#context;
    return { signal, info: () => undefined, warn: (message) => this.#context.warn(message) };
  }

  /** Reports the result. @throws BridgeError SOUND_EMPTY or SOUND_BROKEN when there was no sound */
  end(stream: PageStream): void {
    const cutOff = stream.cutOff || this.#link?.ended === false;
    this.#closeLink();
    const isDamaged = stream.damagedBytes > 0 || this.#lostPackets > 0;
    if (!this.#delivered) {
      if (cutOff || isDamaged)
        throw new BridgeError(
          'SOUND_BROKEN',
          `${this.#label} is Ogg Opus that ends before its sound begins.`,
        );
      throw new BridgeError('SOUND_EMPTY', `${this.#label} is Ogg Opus without any sound in it.`);
    }
    const warn = (what: string): void => this.#context.warn(`${this.#label} ${what}.`);
    if (this.#missingMs > 0) warn(`is damaged: ${Math.round(this.#missingMs)} ms of it are missing`);
    else if (isDamaged)
      warn(`is damaged: ${stream.damagedBytes} bytes and ${this.#lostPackets} packets could not be used`);
    if (cutOff) warn('is cut off: it has no last page');
    else if (stream.wrongChecksums > 0 && !isDamaged)
      warn(
        `is damaged: ${stream.wrongChecksums} of its pages have a wrong checksum and were played all the same`,
      );
  }

  close(): void {
    this.#closeLink();
  }

  #closeLink(): void {
    if (!this.#link) return;
    this.#missingMs += this.#link.missingMs;
    this.#lostPackets += this.#link.lostPackets;
    this.#link.close();
    this.#link = undefined;
  }
}

/** Reads single pages from a stream of bytes. */
class PageStream {
  readonly #source: AsyncIterator<EncodedChunk>;
  readonly #pages = new OggPages();
  #queue: OggPage[] = [];
  #ended = false;
  cutOff = false;

  constructor(chunks: AsyncIterable<EncodedChunk>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  get damagedBytes(): number {
    return this.#pages.strayBytes;
  }

  get wrongChecksums(): number {
    return this.#pages.wrongChecksums;
  }

  async next(): Promise<OggPage | undefined> {
    while (this.#queue.length === 0 && !this.#ended) {
      const next = await this.#source.next();
      if (!next.done) {
        this.#queue = this.#pages.push(next.value);
        continue;
      }
      this.#ended = true;
      const { pages, cutOff } = this.#pages.end();
      this.#queue = pages;
      this.cutOff = cutOff;
    }
    return this.#queue.shift();
  }

  /** Returns the bytes of a page and of all that follow. */
  async *bytesFrom(first: OggPage): AsyncGenerator<EncodedChunk> {
    for (let page: OggPage | undefined = first; page; page = await this.next()) yield page.bytes;
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#source.return?.();
  }
}

import prism from 'prism-media';
import { Demuxer } from './demuxer.js';
import type { OggPage } from './ogg-pages.js';
import { OPUS_SAMPLES_PER_SAMPLE, OpusPackets } from './opus.js';
import { OPUS_RATE_HZ, opusPacketSamples, type OpusHead } from './opus-packet.js';
import { buildPage, WholePackets } from './whole-packets.js';

/**
 * Minimum gap, in samples at 48 kHz; a smaller one is rounding by the encoder: 2.5 ms, the shortest frame.
 */
const GAP_SAMPLES = 120;

/**
 * Decodes one logical Opus stream of an Ogg file (RFC 7845): its pages to sound at 16 kHz, without the
 * encoder's lead-in (pre-skip) and without the part of its last packet beyond the end. A chained file has
 * several in a row.
 */
export class OggOpusLink {
  readonly serial: number;
  readonly channels: number;
  readonly #packets: OpusPackets;
  readonly #demuxer = new Demuxer(new prism.opus.OggDemuxer());
  readonly #whole = new WholePackets();
  #state: 'comments' | 'sound' | 'ended' = 'comments';
  #skip: number;
  /** Position at the end of the last page that stated one, in samples at 48 kHz. */
  #position: number | undefined;
  /** Samples at 48 kHz since that position. */
  #since = 0;
  #missing = 0;

  /** @param page first page of the stream, with the header */
  constructor(head: OpusHead, page: OggPage) {
    this.serial = page.serial;
    this.channels = head.channels;
    this.#skip = Math.round(head.preSkip / OPUS_SAMPLES_PER_SAMPLE);
    this.#packets = new OpusPackets(head);
    this.#demuxer.push(page.bytes);
    this.#whole.push(page);
  }

  /** True before the sound: header pages of other streams may come here, but no new link begins. */
  get isInHead(): boolean {
    return this.#state === 'comments';
  }

  /** True when its last page has come. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** Missing milliseconds, by the stream's own count. */
  get missingMs(): number {
    return (this.#missing / OPUS_RATE_HZ) * 1000;
  }

  /** Number of packets that could not be decoded. */
  get lostPackets(): number {
    return this.#packets.lostPackets + this.#whole.lostPackets;
  }

  /**
   * Adds a page of this stream.
   * @returns its sound: 16 kHz, interleaved
   */
  push(page: OggPage): Int16Array {
    const rest = this.#state === 'comments' ? this.#passComments(page) : page;
    const packets = rest ? this.#whole.push(rest).flatMap((bytes) => this.#demuxer.push(bytes)) : [];
    const decoded = packets.map((packet) => this.#packets.decode(packet));
    const samples = decoded.reduce((sum, part) => sum + part.length, 0);
    this.#since += packets.reduce((sum, packet) => sum + opusPacketSamples(packet), 0);
    const surplus = this.#follow(page);
    if (this.#state !== 'comments') this.#state = page.last ? 'ended' : 'sound';

    const all = new Int16Array(samples);
    let at = 0;
    for (const part of decoded) {
      all.set(part, at);
      at += part.length;
    }
    const frames = samples / this.channels;
    const end = Math.max(0, frames - Math.round(surplus / OPUS_SAMPLES_PER_SAMPLE));
    const skipped = Math.min(this.#skip, frames);
    this.#skip -= skipped;
    return all.subarray(Math.min(skipped, end) * this.channels, end * this.channels);
  }

  /** Frees the decoder's memory. */
  close(): void {
    this.#packets.free();
    this.#demuxer.close();
  }

  /** Skips comments, which can span many pages (cover art). */
  #passComments(page: OggPage): OggPage | undefined {
    const isComments = page.continued || String.fromCharCode(...page.body.subarray(0, 8)) === 'OpusTags';
    if (!isComments) {
      this.#state = 'sound';
      return page;
    }
    const end = page.lacing.findIndex((value) => value < 255);
    if (end < 0) {
      this.#whole.pass(page);
      return undefined;
    }
    this.#state = 'sound';
    if (end + 1 === page.lacing.length) {
      this.#whole.pass(page);
      return undefined;
    }
    const lacing = page.lacing.subarray(end + 1);
    const body = page.body.subarray(page.lacing.subarray(0, end + 1).reduce((sum, value) => sum + value, 0));
    return { ...page, lacing, body, continued: false, bytes: buildPage(page, lacing, [body]) };
  }

  /**
   * Compares the position of a page with the decoded samples.
   * @returns the samples at 48 kHz in the last page beyond the end
   */
  #follow({ granule, last }: OggPage): number {
    if (granule === undefined || (this.#position === undefined && this.#since === 0)) return 0;
    // A recording can begin at any position, but not before 0.
    this.#position ??= Math.max(0, granule - this.#since);
    const beyond = this.#position + this.#since - granule;
    if (beyond < -GAP_SAMPLES) this.#missing -= beyond;
    this.#position = granule;
    this.#since = 0;
    return last ? Math.max(0, beyond) : 0;
  }
}

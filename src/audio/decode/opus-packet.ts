/** Rate in which Opus counts time, whatever the rate of recording or decoding (RFC 7845 §4). */
export const OPUS_RATE_HZ = 48_000;

/** Longest packet: 120 ms (RFC 6716 §3.2.5, R5). */
const MAX_PACKET_SAMPLES = 5760;

/** Samples per frame at 48 kHz for each group of configurations (RFC 6716 §3.1, table 2). */
const SILK = [480, 960, 1920, 2880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];

/**
 * Returns the duration of a packet, from its first bytes.
 * @returns samples at 48 kHz; 0 when it is not an Opus packet
 */
export function opusPacketSamples(packet: Uint8Array): number {
  if (packet.length === 0) return 0;
  const toc = packet[0]!;
  const config = toc >> 3;
  const frame = config < 12 ? SILK[config & 3]! : config < 16 ? HYBRID[config & 1]! : CELT[config & 3]!;
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : packet.length > 1 ? packet[1]! & 0x3f : 0;
  const samples = frame * frames;
  return samples <= MAX_PACKET_SAMPLES ? samples : 0;
}

/** Identification header of a stream (RFC 7845 §5.1); WebM has the same in its CodecPrivate. */
export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz to drop at the start. */
  readonly preSkip: number;
  /** Gain to apply to the decoded sound, in 1/256 dB. */
  readonly gainQ8: number;
  /** True for plain mono and stereo, which need one decoder; surround sound needs several. */
  readonly isSimple: boolean;
}

/** @returns undefined when it is not a header, or of an unknown version */
export function parseOpusHead(bytes: Uint8Array): OpusHead | undefined {
  if (bytes.length < 19 || String.fromCharCode(...bytes.subarray(0, 8)) !== 'OpusHead') return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const channels = bytes[9]!;
  if (bytes[8]! > 15 || channels === 0) return undefined;
  return {
    channels,
    preSkip: view.getUint16(10, true),
    gainQ8: view.getInt16(16, true),
    isSimple: bytes[18] === 0 && channels <= 2,
  };
}

/**
 * Returns true when a sound is Opus in Ogg.
 * @param head the first bytes
 */
export function isOggOpus(head: Uint8Array): boolean {
  const text = (at: number, length: number): string => String.fromCharCode(...head.subarray(at, at + length));
  return text(0, 4) === 'OggS' && text(27 + (head[26] ?? 0), 8) === 'OpusHead';
}

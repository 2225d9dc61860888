/** First metadata block of a FLAC stream, STREAMINFO (RFC 9639 §8.2). */
export interface FlacInfo {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly bits: number;
  /** Samples of each channel in the whole stream; 0 when unknown to its writer. */
  readonly totalSamples: number;
}

/** Header of a frame (RFC 9639 §9.1) with a valid checksum. */
export interface FlacFrameHeader {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly bits: number;
  /** Samples of each channel. */
  readonly samples: number;
  /** Number of the frame, or of its first sample in streams of variable block size. */
  readonly number: number;
  readonly headerBytes: number;
  /** Upper bound of the frame's size. */
  readonly maxBytes: number;
}

export /**
 *
 */
const STREAM_INFO_BYTES = 34;

/** Upper bound of a frame header's size. */
export const MAX_FRAME_HEADER_BYTES = 16;

/** @param bytes the content of a STREAMINFO block */
export function parseStreamInfo(bytes: Uint8Array): FlacInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const packed = view.getUint32(10);
  return {
    sampleRateHz: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    bits: ((packed >>> 4) & 31) + 1,
    totalSamples: (packed & 15) * 2 ** 32 + view.getUint32(14),
  };
}

const RATES_HZ = [0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
const BITS = [0, 8, 12, -1, 16, 20, 24, 32];

/**
 * Reads a frame's header.
 * @param info supplies values that the header leaves to the stream
 * @returns undefined when there is none here; the bytes must reach MAX_FRAME_HEADER_BYTES or the end of the
 * stream
 */
export function parseFlacFrame(bytes: Uint8Array, at: number, info: FlacInfo): FlacFrameHeader | undefined {
  if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xfe) !== 0xf8 || at + 6 > bytes.length) return undefined;
  const [third, fourth] = [bytes[at + 2]!, bytes[at + 3]!];
  const [blockCode, rateCode, channelCode] = [third >> 4, third & 15, fourth >> 4];
  const bits = BITS[(fourth >> 1) & 7]! || info.bits;
  if (blockCode === 0 || rateCode === 15 || channelCode > 10 || bits < 0 || fourth & 1) return undefined;

  // The number is coded like a UTF-8 character, with up to seven bytes.
  const first = bytes[at + 4]!;
  const extra = first < 0x80 ? 0 : Math.clz32(~(first << 24)) - 1;
  if (extra < 0 || first === 0xff || (first >= 0x80 && extra === 0)) return undefined;
  let number = extra === 0 ? first : first & (0x3f >> extra);
  let next = at + 5;
  for (const end = next + extra; next < end; next++) {
    if ((bytes[next]! & 0xc0) !== 0x80) return undefined;
    number = number * 64 + (bytes[next]! & 0x3f);
  }
  const wide = (): number => (bytes[next++]! << 8) | bytes[next++]!;
  const samples =
    blockCode === 1
      ? 192
      : blockCode < 6
        ? 144 << blockCode
        : blockCode === 6
          ? bytes[next++]! + 1
          : blockCode === 7
            ? wide() + 1
            : 1 << blockCode;
  const sampleRateHz =
    rateCode < 12
      ? RATES_HZ[rateCode]! || info.sampleRateHz
      : rateCode === 12
        ? bytes[next++]! * 1000
        : wide() * (rateCode === 14 ? 10 : 1);
  if (next >= bytes.length || crc8(bytes, at, next) !== bytes[next]) return undefined;
  const channels = channelCode < 8 ? channelCode + 1 : 2;
  const headerBytes = next + 1 - at;
  // Verbatim coding, with one more bit for the difference of two channels.
  const maxBytes = headerBytes + 2 + channels * (8 + Math.ceil((samples * (bits + 1)) / 8));
  return { sampleRateHz, channels, bits, samples, number, headerBytes, maxBytes };
}

const CRC8_TABLE = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let i = 0; i < 8; i++) crc = crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1;
  return crc;
});

function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) crc = CRC8_TABLE[crc ^ bytes[i]!]!;
  return crc;
}

const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let i = 0; i < 8; i++) crc = crc & 0x8000 ? (crc << 1) ^ 0x8005 : crc << 1;
  return crc;
});

/** Updates a frame's checksum (RFC 9639 §9.3): it is 0 after a frame's last byte. */
export function flacCrc16(crc: number, bytes: Uint8Array, from: number, to: number): number {
  let value = crc;
  for (let i = from; i < to; i++) value = ((value << 8) & 0xff00) ^ CRC16_TABLE[(value >> 8) ^ bytes[i]!]!;
  return value;
}

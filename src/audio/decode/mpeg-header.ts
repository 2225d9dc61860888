/** Four-byte header of an MPEG audio frame (ISO/IEC 11172-3 §2.4.1.3, 13818-3). */
export interface MpegHeader {
  readonly layer: 1 | 2 | 3;
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
  /** Samples of each channel in the frame. */
  readonly samples: number;
  /** Size of the whole frame, header included. */
  readonly frameBytes: number;
  /** Offset of a Xing or Info tag in a layer III frame. */
  readonly tagOffset: number;
  /** Value shared by all frames of a stream: version, layer, rate, mono or not. */
  readonly kind: number;
}

export /**
 *
 */
const MPEG_HEADER_BYTES = 4;

const RATES_HZ = [44_100, 48_000, 32_000] as const;

/**
 * Bitrates in kbit/s by index; rows: MPEG-1 layers I, II, III, then MPEG-2 and 2.5 layer I, layers II and
 * III.
 */
const BITRATES_KBPS = [
  [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;

/**
 * Reads a frame's header. The free format, whose frames have no length, is rejected: neither the mpg123 build
 * nor ffmpeg decodes it.
 * @returns undefined when the four bytes are not a header
 */
export function parseMpegHeader(bytes: Uint8Array, at: number): MpegHeader | undefined {
  if (at + MPEG_HEADER_BYTES > bytes.length || bytes[at] !== 0xff) return undefined;
  const [second, third, fourth] = [bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
  if ((second & 0xe0) !== 0xe0) return undefined;
  const version = (second >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const layerBits = (second >> 1) & 3;
  const bitrateIndex = third >> 4;
  const rateIndex = (third >> 2) & 3;
  if (
    version === 1 ||
    layerBits === 0 ||
    bitrateIndex === 0 ||
    bitrateIndex === 15 ||
    rateIndex === 3 ||
    (fourth & 3) === 2
  )
    return undefined;
  const layer = (4 - layerBits) as 1 | 2 | 3;
  const isMpeg1 = version === 3;
  const sampleRateHz = RATES_HZ[rateIndex]! >> (isMpeg1 ? 0 : version === 2 ? 1 : 2);
  const channels = fourth >> 6 === 3 ? 1 : 2;
  const samples = layer === 1 ? 384 : layer === 3 && !isMpeg1 ? 576 : 1152;
  const kbps = BITRATES_KBPS[isMpeg1 ? layer - 1 : layer === 1 ? 3 : 4]![bitrateIndex - 1]!;
  const slotBytes = layer === 1 ? 4 : 1;
  const slots = Math.floor((samples * kbps * 125) / slotBytes / sampleRateHz) + ((third & 2) >> 1);
  return {
    layer,
    sampleRateHz,
    channels,
    samples,
    frameBytes: slots * slotBytes,
    tagOffset: MPEG_HEADER_BYTES + (isMpeg1 ? (channels === 1 ? 17 : 32) : channels === 1 ? 9 : 17),
    kind: (version << 8) | (layer << 6) | (rateIndex << 4) | channels,
  };
}

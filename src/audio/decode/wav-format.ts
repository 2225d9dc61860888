import { BridgeError } from '../../base/errors.js';
import { MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ } from '../pcm.js';
import type { Encoding } from '../samples.js';

/** Content of the `fmt ` chunk of a WAV file. */
export interface WavFormat {
  /** Name for people: `16-bit PCM`. */
  readonly name: string;
  readonly encoding: Encoding;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** Speakers of the channels, see `PcmBlock`; undefined when the file does not state them. */
  readonly channelMask: number | undefined;
}

/** Meaningful bytes of a `fmt ` chunk: WAVEFORMATEXTENSIBLE is the longest. */
export const FMT_BYTES = 40;

/** Minimum size of a `fmt ` chunk: WAVEFORMAT, without bits. */
const MIN_FMT_BYTES = 14;

const PCM = 0x0001;
const FLOAT = 0x0003;
const A_LAW = 0x0006;
const MU_LAW = 0x0007;
const EXTENSIBLE = 0xfffe;

/** Names of other codecs found in WAV files, for the message. */
const FOREIGN: Readonly<Record<number, string>> = {
  0x0002: 'Microsoft ADPCM',
  0x0011: 'IMA ADPCM',
  0x0031: 'GSM 6.10',
  0x0040: 'G.721 ADPCM',
  0x0050: 'MPEG audio',
  0x0055: 'MP3',
  0x00ff: 'AAC',
  0x0161: 'Windows Media Audio',
  0x1610: 'AAC',
};

/** Last 12 bytes of the GUID of a classic format code in WAVE_FORMAT_EXTENSIBLE; the code comes first. */
const GUID_TAIL = '00001000800000aa00389b71';
const GUID_TAIL_BIG_ENDIAN = '00000010800000aa00389b71';

/**
 * Parses a `fmt ` chunk.
 * @param bytes the chunk's content; only the first FMT_BYTES matter
 * @param littleEndian false for RIFX
 * @param label name of the sound in messages
 * @throws BridgeError SOUND_UNKNOWN for a codec that is not PCM, SOUND_BROKEN for an impossible format
 */
export function parseWavFormat(bytes: Uint8Array, littleEndian: boolean, label: string): WavFormat {
  const broken = (what: string): BridgeError => new BridgeError('SOUND_BROKEN', `${label} ${what}.`);
  if (bytes.length < MIN_FMT_BYTES)
    throw broken(`has a format ('fmt ') of ${bytes.length} bytes, where at least 16 belong`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const channels = view.getUint16(2, littleEndian);
  const sampleRateHz = view.getUint32(4, littleEndian);
  const blockBytes = view.getUint16(12, littleEndian);
  if (channels < 1 || channels > MAX_CHANNELS)
    throw broken(`claims ${channels} channels; 1 to ${MAX_CHANNELS} can be`);
  if (sampleRateHz < MIN_RATE_HZ || sampleRateHz > MAX_RATE_HZ)
    throw broken(`claims ${sampleRateHz} Hz; ${MIN_RATE_HZ} to ${MAX_RATE_HZ} can be`);
  const { code, guid } = formatCode(view, littleEndian);
  if (code !== PCM && code !== FLOAT && code !== A_LAW && code !== MU_LAW) {
    const name = guid ?? FOREIGN[code] ?? 'an unknown codec';
    throw new BridgeError(
      'SOUND_UNKNOWN',
      `${label} is a WAV file with ${name} inside (format 0x${code.toString(16).padStart(4, '0')}), not PCM.`,
    );
  }
  const bits = (bytes.length >= 16 && view.getUint16(14, littleEndian)) || (blockBytes * 8) / channels;
  const found = encodingOf(code, bits, blockBytes / channels, littleEndian);
  if (!found)
    throw broken(
      `claims ${bits}-bit ${code === PCM ? 'PCM' : code === FLOAT ? 'floats' : 'G.711'}, which cannot be`,
    );
  const channelMask =
    view.getUint16(0, littleEndian) === EXTENSIBLE && bytes.length >= 24
      ? view.getUint32(20, littleEndian)
      : undefined;
  return { ...found, sampleRateHz, channels, channelMask };
}

function formatCode(view: DataView, littleEndian: boolean): { code: number; guid?: string } {
  const code = view.getUint16(0, littleEndian);
  if (code !== EXTENSIBLE || view.byteLength < FMT_BYTES) return { code };
  const guid = Buffer.from(view.buffer, view.byteOffset + 24, 16).toString('hex');
  // Writers of RIFX disagree on whether the GUID's numbers are swapped too, and sox swaps only the code.
  if (guid.endsWith(GUID_TAIL)) {
    const inside = view.getUint32(24, true);
    return { code: !littleEndian && (inside & 0xff) === 0 ? inside >> 8 : inside };
  }
  if (guid.endsWith(GUID_TAIL_BIG_ENDIAN)) return { code: view.getUint32(24, false) };
  return { code, guid: `sub-format ${guid}` };
}

function encodingOf(
  code: number,
  bits: number,
  bytesInBlock: number,
  littleEndian: boolean,
): { name: string; encoding: Encoding } | undefined {
  const order = littleEndian ? 'le' : 'be';
  // The bits decide, because many writers get the block size wrong but not the bits.
  if (code === A_LAW) return bits === 8 ? { name: 'A-law', encoding: 'alaw' } : undefined;
  if (code === MU_LAW) return bits === 8 ? { name: 'mu-law', encoding: 'mulaw' } : undefined;
  const name = code === FLOAT ? `${bits}-bit float` : `${bits}-bit PCM`;
  if (code === FLOAT) {
    if (bits === 32) return { name, encoding: `f32${order}` };
    return bits === 64 ? { name, encoding: `f64${order}` } : undefined;
  }
  // Odd bit counts are stored in the top bits of the next whole bytes, and so are 24 bits in four bytes.
  if (bits >= 1 && bits <= 8) return { name, encoding: 'u8' };
  if (bits > 8 && bits <= 16) return { name, encoding: `s16${order}` };
  if (bits > 16 && bits <= 24 && bytesInBlock !== 4) return { name, encoding: `s24${order}` };
  return bits > 16 && bits <= 32 ? { name, encoding: `s32${order}` } : undefined;
}

import { bytesOf } from './sound.js';

/** How a test WAV file is put together, down to its lies. */
export interface WavParts {
  readonly riff?: 'RIFF' | 'RIFX' | 'RF64';
  readonly code?: number;
  readonly channels?: number;
  readonly sampleRateHz?: number;
  readonly bits?: number;
  /** Overrides the true block size. */
  readonly blockBytes?: number;
  /** Replaces the `fmt ` chunk's content whole. */
  readonly fmt?: Uint8Array;
  readonly data?: Uint8Array;
  /** Overrides the true sizes. */
  readonly dataBytes?: number;
  readonly riffBytes?: number;
  /** Chunks before `fmt `, between `fmt ` and `data`, and behind `data`. */
  readonly first?: readonly Chunk[];
  readonly between?: readonly Chunk[];
  readonly last?: readonly Chunk[];
}

/** A chunk of any name and content. */
export interface Chunk {
  readonly id: string;
  readonly content: Uint8Array;
  /** Overrides the true size. */
  readonly bytes?: number;
  /** False leaves the padding of an odd size out. */
  readonly padded?: boolean;
}

/** A WAV file as bytes; 16-bit mono PCM at 16 kHz unless told otherwise. */
export function wavFile(parts: WavParts = {}): Buffer {
  const { riff = 'RIFF', data = new Uint8Array(0), first = [], between = [], last = [] } = parts;
  const big = riff === 'RIFX';
  const chunks = [
    ...first,
    { id: 'fmt ', content: parts.fmt ?? fmtContent(parts, big) },
    ...between,
    { id: 'data', content: data, ...(parts.dataBytes !== undefined && { bytes: parts.dataBytes }) },
    ...last,
  ];
  const body = Buffer.concat(chunks.map((chunk) => chunkBytes(chunk, big)));
  const head = Buffer.alloc(12);
  head.write(riff, 'latin1');
  uint32(head, parts.riffBytes ?? body.length + 4, 4, big);
  head.write('WAVE', 8, 'latin1');
  return Buffer.concat([head, body]);
}

/** A plain WAV file of 16-bit samples. @param lies what its head says that is not so */
export function wavOf(
  samples: Int16Array,
  sampleRateHz = 16_000,
  channels = 1,
  lies: Pick<WavParts, 'dataBytes' | 'riffBytes'> = {},
): Buffer {
  return wavFile({ data: bytesOf(samples), sampleRateHz, channels, ...lies });
}

/** The content of a `ds64` chunk. */
export function ds64(dataBytes: bigint): Buffer {
  const content = Buffer.alloc(28);
  content.writeBigUInt64LE(dataBytes, 8);
  return content;
}

/** The content of a WAVE_FORMAT_EXTENSIBLE `fmt ` chunk, little endian. */
export function extensible(code: number, parts: WavParts, validBits = parts.bits ?? 16): Buffer {
  return Buffer.concat([
    fmtContent({ ...parts, code: 0xfffe }),
    Buffer.from([22, 0, validBits, 0, 4, 0, 0, 0, code & 255, code >> 8]),
    Buffer.from('000000001000800000aa00389b71', 'hex'),
  ]);
}

/** The content of a plain `fmt ` chunk. */
export function fmtContent(parts: WavParts, big = false): Buffer {
  const { code = 1, channels = 1, sampleRateHz = 16_000, bits = 16 } = parts;
  const blockBytes = parts.blockBytes ?? Math.ceil(bits / 8) * channels;
  const fmt = Buffer.alloc(16);
  const uint16 = (value: number, at: number): number =>
    big ? fmt.writeUInt16BE(value, at) : fmt.writeUInt16LE(value, at);
  uint16(code, 0);
  uint16(channels, 2);
  uint32(fmt, sampleRateHz, 4, big);
  uint32(fmt, (sampleRateHz * blockBytes) % 2 ** 32, 8, big);
  uint16(blockBytes, 12);
  uint16(bits, 14);
  return fmt;
}

function chunkBytes({ id, content, bytes, padded = true }: Chunk, big: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 'latin1');
  uint32(head, bytes ?? content.length, 4, big);
  const pad = padded && content.length % 2 === 1 ? [Buffer.alloc(1)] : [];
  return Buffer.concat([head, content, ...pad]);
}

function uint32(target: Buffer, value: number, at: number, big: boolean): void {
  if (big) target.writeUInt32BE(value, at);
  else target.writeUInt32LE(value, at);
}

import { children, EBML, readElement, readFloat, readUint } from './ebml.js';
import { OPUS_RATE_HZ, parseOpusHead, type OpusHead } from './opus-packet.js';

/** Sound track of a WebM or Matroska file. */
export interface WebmTrack {
  readonly number: number;
  readonly head: OpusHead;
  /** Nanoseconds per unit of the file's timestamps. */
  readonly timestampScale: number;
  /** Length of the file in milliseconds, if it is stated and the sound is the only track. */
  readonly durationMs: number | undefined;
}

/** Track type of sound. */
export const TRACK_TYPE_AUDIO = 2;
/** Maximum track number: prism-media reads only the low four bits. */
const MAX_NUMBER = 15;

/**
 * Returns true for WebM or Matroska.
 * @param head the first bytes
 */
export function isWebm(head: Uint8Array): boolean {
  return head[0] === 0x1a && head[1] === 0x45 && head[2] === 0xdf && head[3] === 0xa3;
}

/**
 * Searches for the first sound track.
 * @param head the file from its start
 * @returns 'foreign' when it is not plain Opus; 'more' when the list of tracks has not come yet
 */
export function parseWebmHead(head: Uint8Array): WebmTrack | 'foreign' | 'more' {
  let timestampScale = 1e6;
  let duration = 0;
  for (let at = 0; ;) {
    const element = readElement(head, at);
    if (element === 'more') return 'more';
    if (!element || element.id === EBML.cluster) return 'foreign';
    const start = at + element.headBytes;
    if (element.id === EBML.segment) {
      at = start;
      continue;
    }
    const end = start + element.size;
    const content = head.subarray(start, end);
    if (end === Infinity) return 'foreign';
    if ((element.id === EBML.tracks || element.id === EBML.info) && end > head.length) return 'more';
    if (element.id === EBML.info)
      for (const child of children(content)) {
        if (child.id === EBML.timestampScale) timestampScale = readUint(child.content);
        if (child.id === EBML.duration) duration = readFloat(child.content);
      }
    if (element.id === EBML.tracks) return chooseTrack(content, timestampScale, duration);
    at = end;
  }
}

function chooseTrack(tracks: Uint8Array, timestampScale: number, duration: number): WebmTrack | 'foreign' {
  const entries = [...children(tracks)].filter(({ id }) => id === EBML.trackEntry);
  for (const { content } of entries) {
    const fields = new Map([...children(content)].map((child) => [child.id, child.content]));
    const number = (id: number): number => readUint(fields.get(id) ?? new Uint8Array(0));
    if (number(EBML.trackType) !== TRACK_TYPE_AUDIO) continue;
    const codec = Buffer.from(fields.get(EBML.codecId) ?? []).toString('latin1');
    const isPlain = !fields.has(EBML.encodings) && number(EBML.trackNumber) <= MAX_NUMBER;
    if (!codec.startsWith('A_OPUS') || !isPlain) return 'foreign';
    const head = parseOpusHead(fields.get(EBML.codecPrivate) ?? new Uint8Array(0)) ?? headWithout(fields);
    if (!head.isSimple) return 'foreign';
    const durationMs = (duration * timestampScale) / 1e6;
    return {
      number: number(EBML.trackNumber),
      head,
      timestampScale,
      durationMs: entries.length === 1 && durationMs > 0 ? durationMs : undefined,
    };
  }
  return 'foreign';
}

/** Returns the codec's header from the container's fields; some writers leave the header out. */
function headWithout(fields: ReadonlyMap<number, Uint8Array>): OpusHead {
  const audio = new Map(
    [...children(fields.get(EBML.audio) ?? new Uint8Array(0))].map((c) => [c.id, c.content]),
  );
  const channels = audio.has(EBML.channels) ? readUint(audio.get(EBML.channels)!) : 1;
  const delayNs = readUint(fields.get(EBML.codecDelay) ?? new Uint8Array(0));
  return {
    channels,
    preSkip: Math.round((delayNs * OPUS_RATE_HZ) / 1e9),
    gainQ8: 0,
    isSimple: channels === 1 || channels === 2,
  };
}

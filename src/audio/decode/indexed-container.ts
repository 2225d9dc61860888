import { BridgeError } from '../../base/errors.js';

/** A part of a container: an atom of an MP4, a chunk of a CAF. */
export interface ContainerPart {
  readonly type: string;
  /** With its own head; Infinity when it goes on to the end of the sound. */
  readonly bytes: number;
}

/** A container of parts in a row, whose index may stand behind the sound although it is needed before it. */
export interface IndexedContainer {
  readonly name: string;
  /** Bytes before the first part. */
  readonly headBytes: number;
  /** The part that has to stay first. */
  readonly lead: string;
  readonly sound: string;
  readonly index: string;
  /** The part that begins with these bytes, of which 16 are enough; undefined when none does. */
  partAt(bytes: Uint8Array): ContainerPart | undefined;
  /**
   * The index as it has to read once it stands before the sound.
   * @param from where what moves back by the index's length begins, in bytes of the container
   * @param to where it ends: where the index stood
   * @throws BridgeError SOUND_BROKEN, SOUND_UNKNOWN or SOUND_TOO_LARGE
   */
  moved(index: Uint8Array, from: number, to: number, label: string): Uint8Array;
}

/** Bytes that `partAt` and `indexedContainer` want to see at the most. */
export const PART_HEAD_BYTES = 16;
/** The same for `indexedContainer`. */
export const CONTAINER_HEAD_BYTES = 40;

const MP4_STARTS = new Set(['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip']);
/** What leads from `moov` down to the tables of places (ISO 14496-12, 8.7.5). */
const MP4_NESTS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

function text(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function mp4Part(bytes: Uint8Array): ContainerPart | undefined {
  if (bytes.length < 8) return undefined;
  const view = viewOf(bytes);
  const type = text(bytes, 4);
  const size = view.getUint32(0);
  if (size === 0) return { type, bytes: Infinity };
  if (size !== 1) return size < 8 ? undefined : { type, bytes: size };
  if (bytes.length < 16) return undefined;
  const large = Number(view.getBigUint64(8));
  return large < 16 ? undefined : { type, bytes: large };
}

/** Every table of places within `bytes` says by how many more bytes from now on, where it points between two of them. */
function moveMp4(bytes: Uint8Array, shift: number, from: number, to: number, label: string): void {
  const view = viewOf(bytes);
  const moved = (place: number): number => (place >= from && place < to ? place + shift : place);
  for (let at = 0; at + 8 <= bytes.length;) {
    const part = mp4Part(bytes.subarray(at));
    const end = at + Math.min(part?.bytes ?? 0, bytes.length - at);
    if (!part || (part.bytes !== Infinity && at + part.bytes > bytes.length)) throw broken(label);
    const content = bytes.subarray(at + (view.getUint32(at) === 1 ? 16 : 8), end);
    const inner = viewOf(content);
    const step = part.type === 'stco' ? 4 : 8;
    if (MP4_NESTS.has(part.type)) moveMp4(content, shift, from, to, label);
    else if (part.type === 'cmov')
      throw new BridgeError('SOUND_UNKNOWN', `The index of ${label} is compressed, which is not known here.`);
    else if (part.type === 'stco' || part.type === 'co64') {
      const count = content.length < 8 ? Infinity : inner.getUint32(4);
      if (8 + count * step > content.length) throw broken(label);
      for (let i = 0; i < count; i += 1) {
        const place = 8 + i * step;
        if (step === 8) inner.setBigUint64(place, BigInt(moved(Number(inner.getBigUint64(place)))));
        else inner.setUint32(place, inFourBytes(moved(inner.getUint32(place)), label));
      }
    }
    at = end;
  }
}

function inFourBytes(place: number, label: string): number {
  if (place <= 0xffff_ffff) return place;
  throw new BridgeError('SOUND_TOO_LARGE', `${label} is larger than its index can say.`);
}

function broken(label: string): BridgeError {
  return new BridgeError('SOUND_BROKEN', `The index of ${label} is damaged.`);
}

/** MP4, M4A and QuickTime: `mdat` can stand before `moov` (ISO 14496-12, 6.2.3). */
export const MP4: IndexedContainer = {
  name: 'MP4',
  headBytes: 0,
  lead: 'ftyp',
  sound: 'mdat',
  index: 'moov',
  partAt: mp4Part,
  moved(index, from, to, label) {
    const copy = Uint8Array.from(index);
    moveMp4(copy, copy.length, from, to, label);
    return copy;
  },
};

/** CAF with packets of various sizes: its packet table can stand behind `data`. It holds no places. */
export const CAF: IndexedContainer = {
  name: 'CAF',
  headBytes: 8,
  lead: 'desc',
  sound: 'data',
  index: 'pakt',
  partAt(bytes) {
    if (bytes.length < 12) return undefined;
    const size = Number(viewOf(bytes).getBigInt64(4));
    return { type: text(bytes, 0), bytes: size < 0 ? Infinity : 12 + size };
  },
  moved: (index) => index,
};

/** @param head the first bytes, CONTAINER_HEAD_BYTES of them @returns undefined when it is none whose index may be last */
export function indexedContainer(head: Uint8Array): IndexedContainer | undefined {
  if (head.length >= 8 && MP4_STARTS.has(text(head, 4))) return MP4;
  // Packets of one size need no table.
  if (head.length >= CONTAINER_HEAD_BYTES && text(head, 0) === 'caff' && viewOf(head).getUint32(36) === 0)
    return CAF;
  return undefined;
}

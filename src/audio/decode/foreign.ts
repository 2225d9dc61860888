/** A format that is decoded by ffmpeg. */
export interface ForeignFormat {
  /** Name for people. */
  readonly name: string;
  /** Name of ffmpeg's reader, which is forced, so that no other part of ffmpeg reads the bytes. */
  readonly demuxer: string;
  /**
   * Condition for reading it from a pipe: `always`; `never` for formats that are read wrongly without
   * seeking; or a layout, when the index must come before the sound.
   */
  readonly fromPipe: 'always' | 'never' | IndexedLayout;
}

/** A container of consecutive parts, each with its size. */
export interface IndexedLayout {
  /** Bytes before the first part. */
  readonly headBytes: number;
  /**
   * `size32-name`: size including the part's header, then name (MP4); the others: name, then size without the
   * header.
   */
  readonly parts: 'size32-name' | 'name-size32' | 'name-size64';
  readonly index: readonly string[];
  readonly sound: string;
}

const MP4: IndexedLayout = { headBytes: 0, parts: 'size32-name', index: ['moov', 'moof'], sound: 'mdat' };
const CAF: IndexedLayout = { headBytes: 8, parts: 'name-size64', index: ['pakt'], sound: 'data' };
const AIFF: IndexedLayout = { headBytes: 12, parts: 'name-size32', index: ['COMM'], sound: 'SSND' };

/** Bytes at a sound's start that {@link foreignFormat} needs; fewer for a shorter sound. */
export const FOREIGN_HEAD_BYTES = 512;

interface Row extends ForeignFormat {
  readonly matches: (head: Uint8Array) => boolean;
}

/** Tests for one of several magic words at an offset; each character stands for a byte. */
function at(offset: number, ...words: string[]) {
  return (head: Uint8Array): boolean =>
    words.some((word) =>
      Buffer.from(head.subarray(offset, offset + word.length)).equals(Buffer.from(word, 'latin1')),
    );
}

function row(
  name: string,
  demuxer: string,
  matches: Row['matches'],
  fromPipe: Row['fromPipe'] = 'always',
): Row {
  return { name, demuxer, matches, fromPipe };
}

/** Formats in the order of the tests; strong magic comes before weak. */
const ROWS: readonly Row[] = [
  row(
    'MP4',
    'mov',
    at(4, 'ftyp', 'styp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot', 'uuid', 'sidx', 'moof'),
    MP4,
  ),
  row('Ogg', 'ogg', at(0, 'OggS')),
  row('Matroska', 'matroska', at(0, '\x1a\x45\xdf\xa3')),
  row('Windows Media', 'asf', at(0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11')),
  row('AIFF', 'aiff', both(at(0, 'FORM'), at(8, 'AIFF', 'AIFC')), AIFF),
  row('AU', 'au', at(0, '.snd')),
  row('CAF', 'caf', at(0, 'caff'), CAF),
  row('FLAC', 'flac', at(0, 'fLaC')),
  row('WAV', 'wav', both(at(0, 'RIFF', 'RF64'), at(8, 'WAVE'))),
  row('Sony Wave64', 'w64', at(0, 'riff.\x91\xcf\x11')),
  row('AVI', 'avi', both(at(0, 'RIFF'), at(8, 'AVI ')), 'never'),
  row(
    'IRCAM',
    'ircam',
    at(0, ...['\x01', '\x02', '\x03', '\x04'].flatMap((n) => [`\x64\xa3${n}\0`, `\0${n}\xa3\x64`])),
  ),
  row('AMR', 'amr', at(0, '#!AMR')),
  row('Flash video', 'flv', at(0, 'FLV\x01')),
  row('WavPack', 'wv', at(0, 'wvpk'), 'never'),
  row('True Audio', 'tta', at(0, 'TTA1')),
  row("Monkey's Audio", 'ape', at(0, 'MAC '), 'never'),
  row('Musepack', 'mpc8', at(0, 'MPCK'), 'never'),
  row('Musepack', 'mpc', at(0, 'MP+'), 'never'),
  row('TAK', 'tak', at(0, 'tBaK'), 'never'),
  row('DSDIFF', 'iff', both(at(0, 'FRM8'), at(12, 'DSD ')), 'never'),
  row('8SVX', 'iff', both(at(0, 'FORM'), at(8, '8SVX', 'MAUD')), 'never'),
  row('DSF', 'dsf', at(0, 'DSD '), 'never'),
  row('Creative Voice', 'voc', at(0, 'Creative Voice File')),
  row('NIST SPHERE', 'nistsphere', at(0, 'NIST_1A')),
  row('SoX', 'sox', at(0, '.SoX', 'XoS.')),
  row('RealMedia', 'rm', at(0, '.RMF'), 'never'),
  row('DTS', 'dts', at(0, '\x7f\xfe\x80\x01')),
  row('MPEG program stream', 'mpeg', at(0, '\x00\x00\x01\xba')),
  row('MPEG transport stream', 'mpegts', both(at(0, 'G'), at(188, 'G'), at(376, 'G'))),
  row(
    'AC-3',
    'ac3',
    both(at(0, '\x0b\x77'), (head) => head.length > 5 && head[5]! >> 3 <= 10),
  ),
  row(
    'E-AC-3',
    'eac3',
    both(at(0, '\x0b\x77'), (head) => head.length > 5 && head[5]! >> 3 <= 16),
  ),
  row('AAC', 'aac', isAdts),
];

/**
 * Returns the format of a sound for ffmpeg, by its first bytes.
 * @param head the sound's start, preferably FOREIGN_HEAD_BYTES
 * @returns undefined for an unknown format
 */
export function foreignFormat(head: Uint8Array): ForeignFormat | undefined {
  return ROWS.find((candidate) => candidate.matches(head));
}

/**
 * Returns true when ffmpeg is to decode a sound; for the table of formats.
 * @param head the first bytes
 */
export function isForeign(head: Uint8Array): boolean | 'more' {
  const format = foreignFormat(head);
  return format?.demuxer === 'aac' ? isSureAdts(head) : format !== undefined;
}

function both(...tests: ((head: Uint8Array) => boolean)[]) {
  return (head: Uint8Array): boolean => tests.every((test) => test(head));
}

/**
 * Returns true when an ADTS frame is followed by another one or is all there is; samples can look like the
 * first.
 */
function isSureAdts(head: Uint8Array): boolean | 'more' {
  const next = adtsFrameBytes(head) + 3;
  return next <= head.length || head.length === next - 3 ? true : 'more';
}

/**
 * Returns true for an ADTS frame, followed by a second one if the head reaches that far: the sync word has
 * only 12 bits.
 */
function isAdts(head: Uint8Array): boolean {
  const isFrame = (offset: number): boolean =>
    head[offset] === 0xff && (head[offset + 1]! & 0xf6) === 0xf0 && (head[offset + 2]! & 0x3c) <= 0x30;
  if (head.length < 7 || !isFrame(0)) return false;
  const frameBytes = adtsFrameBytes(head);
  return frameBytes >= 7 && (frameBytes + 3 > head.length || isFrame(frameBytes));
}

function adtsFrameBytes(head: Uint8Array): number {
  return ((head[3]! & 3) << 11) | (head[4]! << 3) | (head[5]! >> 5);
}

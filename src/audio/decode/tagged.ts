import type { Decode } from '../pcm.js';
import { decodeWithFfmpeg } from './ffmpeg.js';
import { isFlac } from './flac-splitter.js';
import { isForeign } from './foreign.js';
import { TAG_HEAD_BYTES, tagBytes } from './id3.js';
import { lazy } from './lazy.js';
import { Lookahead } from './lookahead.js';

/** Bytes behind a tag that tell the format. */
const BEHIND_BYTES = 512;

const decodeFlac = lazy(async () => (await import('./flac.js')).decodeFlac);
const decodeMp3 = lazy(async () => (await import('./mp3.js')).decodeMp3);

/** A sound behind ID3 tags: passes over them, for they stand before formats that know nothing of them. */
export const decodeTagged: Decode = async function* (chunks, label, context) {
  const rest = new Lookahead(chunks);
  try {
    for (let bytes = -1; bytes !== 0;) {
      bytes = tagBytes(await rest.peek(TAG_HEAD_BYTES));
      await rest.skip(bytes);
    }
    const head = await rest.peek(BEHIND_BYTES);
    const decode = isFlac(head) ? decodeFlac : isForeign(head) ? decodeWithFfmpeg : decodeMp3;
    yield* decode(rest, label, context);
  } finally {
    await rest.close();
  }
};

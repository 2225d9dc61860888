import type { TextPiece } from '../../tts/script.js';
import type { Tag } from '../../tts/tags.js';
import type { StreamMark } from './intake.js';

/** A client's mark as a tag in its text: it does nothing, but its position in the sound is reported. */
export class MarkTag implements Tag {
  readonly name = 'mark';
  readonly args = [];
  readonly commands = [];
  readonly pauseMs = 0;
  readonly mark: StreamMark;

  constructor(mark: StreamMark) {
    this.mark = mark;
  }
}

/**
 * Returns the text of a stream.
 * @param entries UTF-16, cut anywhere, with marks in between
 */
export async function* textPieces(
  entries: AsyncIterable<Uint8Array | StreamMark>,
): AsyncGenerator<TextPiece, void, undefined> {
  const decoder = new TextDecoder('utf-16le');
  for await (const entry of entries) {
    if (entry instanceof Uint8Array) yield decoder.decode(entry, { stream: true });
    else yield new MarkTag(entry);
  }
  yield decoder.decode();
}

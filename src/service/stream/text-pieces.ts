import type { TextPiece } from '../../tts/script.js';
import type { Tag } from '../../tts/tags.js';
import type { StreamMark } from './intake.js';

/** A mark of the client's as a tag in its text: it does nothing, but its place in the sound is told. */
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
 * Text as it came over a stream.
 * @param entries UTF-16 in any cut, with marks between
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

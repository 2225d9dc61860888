import { segmentText, SEGMENT_BREAK, type SegmentStreamOptions } from './segment-stream.js';
import { TagScanner, type Tag, type TagTable, type UnknownTags } from './tags.js';

/** A tag inside a segment. */
export interface TextMark {
  readonly tag: Tag;
  /** Where in the segment's text it stood: an index, up to its length. */
  readonly at: number;
}

/** A piece of a text that is being written; a tag may stand between two pieces as it stands in a text. */
export type TextPiece = string | Tag;

/** One step of a spoken text. */
export type ScriptItem =
  | { readonly kind: 'segment'; readonly text: string; readonly marks: readonly TextMark[] }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'mark'; readonly tag: Tag };

/** How a text becomes a script. */
export interface ScriptOptions extends SegmentStreamOptions {
  readonly tags?: TagTable;
  readonly unknownTags?: UnknownTags;
  /** Further placeholders of a tag's commands: `{ model: 'mei' }` fills `{model}`. */
  readonly tagVariables?: Readonly<Record<string, string>>;
  /** Told each tag that the table does not know and that is not spoken. */
  readonly onDropped?: (tag: string) => void;
}

/**
 * Turns a text with tags, whole or while it is being written, into what is said and done, in order. Segments joined are the
 * text without its tags.
 */
export async function* scriptOf(
  text: string | AsyncIterable<TextPiece>,
  options: ScriptOptions = {},
): AsyncGenerator<ScriptItem, void, void> {
  const waiting: { readonly at: number; readonly tag: Tag }[] = [];
  const scanned = scan(typeof text === 'string' ? once(text) : text, waiting, options);
  let start = 0;
  for await (const segment of segmentText(scanned, options)) {
    const end = start + segment.length;
    yield* before(waiting, start);
    const marks: TextMark[] = [];
    // A pause always stands between segments: the scanner broke the text there.
    while (waiting[0] && (waiting[0].at < end || (waiting[0].at === end && waiting[0].tag.pauseMs === 0))) {
      const { at, tag } = waiting.shift()!;
      marks.push({ tag, at: at - start });
    }
    yield { kind: 'segment', text: segment, marks };
    start = end;
    yield* before(waiting, start);
  }
  yield* before(waiting, Number.POSITIVE_INFINITY);
}

/** What is done before the text at an index is said: everything up to the last pause there. */
function* before(
  waiting: { readonly at: number; readonly tag: Tag }[],
  start: number,
): Generator<ScriptItem> {
  const lastPause = waiting.findLastIndex(({ at, tag }) => at <= start && tag.pauseMs > 0);
  const count = start === Number.POSITIVE_INFINITY ? waiting.length : lastPause + 1;
  for (const { tag } of waiting.splice(0, count)) {
    if (tag.commands.length > 0) yield { kind: 'mark', tag };
    if (tag.pauseMs > 0) yield { kind: 'pause', ms: tag.pauseMs };
  }
}

/** The text without its tags, which go to `waiting` with the index at which they stood. */
async function* scan(
  text: AsyncIterable<TextPiece>,
  waiting: { at: number; tag: Tag }[],
  options: ScriptOptions,
): AsyncGenerator<string | typeof SEGMENT_BREAK, void, void> {
  const { unknownTags, tagVariables } = options;
  const scanner = new TagScanner(options.tags, {
    ...(unknownTags === undefined ? {} : { unknown: unknownTags }),
    ...(tagVariables === undefined ? {} : { variables: tagVariables }),
  });
  let at = 0;
  const take = function* (pieces: ReturnType<TagScanner['push']>): Generator<string | typeof SEGMENT_BREAK> {
    for (const piece of pieces) {
      if (piece.kind === 'text') {
        at += piece.text.length;
        yield piece.text;
      } else if (piece.kind === 'dropped') {
        options.onDropped?.(piece.text);
      } else {
        waiting.push({ at, tag: piece.tag });
        if (piece.tag.pauseMs > 0) yield SEGMENT_BREAK;
      }
    }
  };
  for await (const piece of text) {
    yield* take(typeof piece === 'string' ? scanner.push(piece) : [{ kind: 'tag', tag: piece }]);
  }
  yield* take(scanner.flush());
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

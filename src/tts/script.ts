import { paced, type PaceOptions, type TextStage } from './paced.js';
import { TextSegmenter, type SegmenterOptions } from './segmenter.js';
import { TagScanner, type Tag, type TaggedPiece, type TagTable, type UnknownTags } from './tags.js';
import { TextCleaner, type CleanedPiece, type CleanerOptions, type SkipKind } from './text-cleaner.js';

/** A tag inside a segment. */
export interface TextMark {
  readonly tag: Tag;
  /** Index in the segment's text, up to its length. */
  readonly at: number;
}

/** A piece of a text that is being written; a tag may come between two pieces as in a text. */
export type TextPiece = string | Tag;

/** A step of a spoken text. */
export type ScriptItem =
  | { readonly kind: 'segment'; readonly text: string; readonly marks: readonly TextMark[] }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'mark'; readonly tag: Tag }
  /** A part that is not spoken, by its first characters. */
  | { readonly kind: 'skipped'; readonly what: SkipKind; readonly text: string };

/** Options of a script. */
export interface ScriptOptions extends SegmenterOptions, PaceOptions, CleanerOptions {
  readonly tags?: TagTable | undefined;
  readonly unknownTags?: UnknownTags | undefined;
  /** Additional placeholders of a tag's commands: `{ model: 'mei' }` fills `{model}`. */
  readonly tagVariables?: Readonly<Record<string, string>> | undefined;
  /** Called with each unknown tag that is not spoken. */
  readonly onDropped?: ((tag: string) => void) | undefined;
  /** Called with the name of each tag of SSML or other markup that was ignored. */
  readonly onIgnored?: ((tag: string) => void) | undefined;
}

/**
 * Turns a text, whole or while it is being written, into speech and actions, in order: markup and parts that
 * are not spoken are removed, tags are read, and the rest is split into sentences.
 */
export function scriptOf(
  text: string | AsyncIterable<TextPiece>,
  options: ScriptOptions = {},
): AsyncGenerator<ScriptItem, void, void> {
  return paced(typeof text === 'string' ? once(text) : text, new ScriptStage(options), options);
}

class ScriptStage implements TextStage<TextPiece, ScriptItem> {
  readonly #options: ScriptOptions;
  readonly #cleaner: TextCleaner<Tag>;
  readonly #scanner: TagScanner;
  readonly #segmenter: TextSegmenter;
  /** Tags whose segment is incomplete, with their positions in the text without tags. */
  readonly #waiting: { readonly at: number; readonly tag: Tag }[] = [];
  /** Length so far of the text without tags, and of its segments. */
  #at = 0;
  #segmentStart = 0;
  #out: ScriptItem[] = [];

  constructor(options: ScriptOptions) {
    this.#options = options;
    this.#cleaner = new TextCleaner(options);
    const { tags, unknownTags: unknown, tagVariables: variables } = options;
    this.#scanner = new TagScanner(tags, { unknown, variables });
    this.#segmenter = new TextSegmenter(options);
  }

  get hasSpeech(): boolean {
    return this.#segmenter.hasSpeech || this.#cleaner.holdsText;
  }

  push(piece: TextPiece): ScriptItem[] {
    this.#clean(typeof piece === 'string' ? this.#cleaner.push(piece) : this.#cleaner.pass(piece));
    return this.#take();
  }

  settle(): ScriptItem[] {
    this.#clean(this.#cleaner.settle());
    this.#segments(this.#segmenter.settle());
    return this.#take();
  }

  drain(): ScriptItem[] {
    this.#clean(this.#cleaner.drain());
    this.#segments(this.#segmenter.drain());
    return this.#take();
  }

  flush(): ScriptItem[] {
    this.#clean(this.#cleaner.flush());
    this.#scan(this.#scanner.flush());
    this.#segments(this.#segmenter.flush());
    for (const { tag } of this.#waiting.splice(0)) this.#do(tag);
    return this.#take();
  }

  #take(): ScriptItem[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #clean(pieces: readonly CleanedPiece<Tag>[]): void {
    for (const piece of pieces) {
      if (piece.kind === 'text') this.#scan(this.#scanner.push(piece.text));
      else if (piece.kind === 'token') this.#tag(piece.token);
      else if (piece.kind === 'pause')
        this.#tag({ name: 'pause', args: [], commands: [], pauseMs: piece.ms });
      else if (piece.kind === 'skipped') this.#out.push(piece);
      else this.#options.onIgnored?.(piece.tag);
    }
  }

  #scan(pieces: readonly TaggedPiece[]): void {
    for (const piece of pieces) {
      if (piece.kind === 'text') {
        this.#at += piece.text.length;
        this.#segments(this.#segmenter.push(piece.text));
      } else if (piece.kind === 'dropped') {
        this.#options.onDropped?.(piece.text);
      } else {
        this.#tag(piece.tag);
      }
    }
  }

  #tag(tag: Tag): void {
    this.#waiting.push({ at: this.#at, tag });
    // Everything before a pause is spoken before it.
    if (tag.pauseMs > 0) this.#segments(this.#segmenter.flush());
    if (tag.pauseMs > 0) this.#doDue();
  }

  #segments(segments: readonly string[]): void {
    for (const text of segments) {
      const start = this.#segmentStart;
      const end = start + text.length;
      this.#segmentStart = end;
      const marks: TextMark[] = [];
      while (this.#waiting[0]) {
        const { at, tag } = this.#waiting[0];
        if (at > end || (at === end && tag.pauseMs > 0)) break;
        this.#waiting.shift();
        marks.push({ tag, at: Math.max(0, at - start) });
      }
      this.#out.push({ kind: 'segment', text, marks });
      this.#doDue();
    }
  }

  /** Runs the actions before the next text, up to the last pause there. */
  #doDue(): void {
    const last = this.#waiting.findLastIndex(({ at, tag }) => at <= this.#segmentStart && tag.pauseMs > 0);
    for (const { tag } of this.#waiting.splice(0, last + 1)) this.#do(tag);
  }

  #do(tag: Tag): void {
    if (tag.commands.length > 0) this.#out.push({ kind: 'mark', tag });
    if (tag.pauseMs > 0) this.#out.push({ kind: 'pause', ms: tag.pauseMs });
  }
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

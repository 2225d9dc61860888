import { caption } from '../agent/commands.js';
import type { CaptionOptions } from '../agent/say.js';
import type { Cue } from '../speech/cues.js';

/** Alias and style of our captions in the avatar. */
const ALIAS = 'bridge_caption';
const STYLE = 'bridge_caption_style';
/** Frames per second of the avatar. */
const FRAMES_PER_S = 30;
/** Duration of a caption when its sentence's length is unknown, in ms; the next one replaces it earlier. */
const UNKNOWN_LENGTH_MS = 10_000;
/** Extra time of a caption after its sentence, in ms, for reading. */
const STAYS_MS = 400;
/** Maximum bytes of a caption's text, well below the limit of a line (protocol.md §2). */
const MAX_TEXT_BYTES = 600;

/** The parts of a segment that a caption uses. */
interface Sentence {
  readonly text: string;
  readonly startMs: number;
  readonly durationMs: number | undefined;
}

/** Makes the cues that show each sentence while it is spoken. */
export class Captions {
  readonly #options: CaptionOptions;
  #styled = false;

  constructor(options: CaptionOptions) {
    this.#options = options;
  }

  /** The cues of one sentence. */
  segment({ text, startMs, durationMs }: Sentence): Cue[] {
    const shown = shorten(text.replace(/[|\r\n]+/g, ' ').trim());
    if (shown === '') return [];
    const cues: Cue[] = [];
    if (!this.#styled) {
      this.#styled = true;
      const white = [1, 1, 1, 1] as const;
      cues.push({
        atMs: startMs,
        send: caption.styleWithEdges(
          STYLE,
          'default',
          white,
          [0, 0, 0, 0.8, 4],
          [0, 0, 0, 0.4, 8],
          [0, 0, 0, 0],
        ),
      });
    }
    const { size = 3, height = 0.1, align = 'CENTER' } = this.#options;
    const frames = Math.round((((durationMs ?? UNKNOWN_LENGTH_MS) + STAYS_MS) * FRAMES_PER_S) / 1000);
    cues.push({ atMs: startMs, send: caption.start(ALIAS, STYLE, shown, size, align, height, frames) });
    return cues;
  }
}

function shorten(text: string): string {
  if (Buffer.byteLength(text) <= MAX_TEXT_BYTES) return text;
  let short = '';
  let bytes = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    bytes += Buffer.byteLength(segment);
    if (bytes > MAX_TEXT_BYTES) break;
    short += segment;
  }
  return `${short}…`;
}

import { closeSync, openSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { BridgeError } from '../base/errors.js';
import type { SpeechEventJson } from '../service/events.js';

/** Event of a sentence. */
type SentenceEvent = Extract<SpeechEventJson, { type: 'sentence' }>;

/** Formats by file name extension. */
const FORMATS = {
  '.vtt': { head: 'WEBVTT\n\n', line: vttCue },
  '.srt': { head: '', line: srtCue },
  '.jsonl': { head: '', line: jsonLine },
} as const;

/** File of the heard sentences: captions (`.vtt`, `.srt`) or one JSON line each (`.jsonl`). */
export class Transcript {
  readonly #path: string;
  readonly #file: number;
  readonly #line: (typeof FORMATS)[keyof typeof FORMATS]['line'];
  /** Offset of each unfinished speech by its id, in ms of the transcript. */
  readonly #offsets = new Map<string, number>();
  readonly #startedAtMs: number | undefined;
  #agent: string | undefined;
  #count = 0;

  /**
   * Creates the file, replacing an existing one.
   * @param startedAt zero of its times; without it each speech begins at zero
   * @throws BridgeError OPTION_INVALID for an unknown extension, FILE_UNWRITABLE
   */
  constructor(path: string, startedAt?: Date) {
    const format = FORMATS[extname(path).toLowerCase() as keyof typeof FORMATS] as
      (typeof FORMATS)[keyof typeof FORMATS] | undefined;
    if (!format) {
      const known = Object.keys(FORMATS).join(', ');
      throw new BridgeError('OPTION_INVALID', `--transcript ${path}: the name must end in one of ${known}.`);
    }
    this.#path = path;
    this.#line = format.line;
    this.#startedAtMs = startedAt?.getTime();
    this.#file = this.#try(() => openSync(path, 'w'));
    this.#write(format.head);
  }

  /** Writes sentences heard in whole or in part from a speech's events. @throws BridgeError FILE_UNWRITABLE */
  add(event: { readonly type: string }): void {
    if (event.type !== 'sentence') return;
    const sentence = event as SentenceEvent;
    // Of several avatars that say the same, one is enough.
    this.#agent ??= sentence.agent;
    if (this.#startedAtMs === undefined && sentence.agent !== this.#agent) return;
    if (sentence.endMs === null) {
      const beganAtMs = Date.parse(sentence.time) - sentence.startMs;
      if (!this.#offsets.has(sentence.speech)) {
        this.#offsets.set(
          sentence.speech,
          this.#startedAtMs === undefined ? 0 : Math.max(0, beganAtMs - this.#startedAtMs),
        );
      }
      return;
    }
    const offsetMs = this.#offsets.get(sentence.speech) ?? 0;
    this.#count += 1;
    const { startMs, endMs } = sentence;
    this.#write(this.#line(sentence, this.#count, offsetMs + startMs, offsetMs + endMs));
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(text: string): void {
    if (text !== '') this.#try(() => writeSync(this.#file, text));
  }

  #try<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw new BridgeError(
        'FILE_UNWRITABLE',
        `'${this.#path}' could not be written: ${(error as Error).message}.`,
        { cause: error },
      );
    }
  }
}

/** Returns the text of a sentence; one that was cut off ends with a dash. */
function shownText({ text, state }: SentenceEvent): string {
  const line = text.replace(/\s+/gu, ' ').trim();
  return state === 'cut' ? `${line} —` : line;
}

function vttCue(sentence: SentenceEvent, count: number, startMs: number, endMs: number): string {
  // `-->` in a cue's text would end it; &, < and > begin an entity or a tag (WebVTT §3.1).
  const text = shownText(sentence).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `${count}\n${timestamp(startMs, '.')} --> ${timestamp(endMs, '.')}\n${text}\n\n`;
}

function srtCue(sentence: SentenceEvent, count: number, startMs: number, endMs: number): string {
  const text = shownText(sentence).replace(/-->/g, '->');
  return `${count}\n${timestamp(startMs, ',')} --> ${timestamp(endMs, ',')}\n${text}\n\n`;
}

function jsonLine(sentence: SentenceEvent, _count: number, startMs: number, endMs: number): string {
  const { time, agent, speech, index, text, state } = sentence;
  return `${JSON.stringify({ time, agent, speech, index, text, startMs, endMs, whole: state === 'heard' })}\n`;
}

/** `00:01:02.345` */
function timestamp(ms: number, point: '.' | ','): string {
  const whole = Math.max(0, Math.round(ms));
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const seconds = whole / 1000;
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${point}${String(whole % 1000).padStart(3, '0')}`;
}

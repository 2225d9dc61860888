import type { SpokenText } from '../agent/say.js';
import { createConverter } from '../audio/convert.js';
import type { SoundInfo } from '../audio/pcm.js';
import { systemClock } from '../base/clock.js';
import type { Cue } from '../speech/cues.js';
import { EnginePool } from '../tts/engine-pool.js';
import { TextNarrator } from '../narration/narrator.js';
import type { Env } from './flags.js';
import type { TextWish } from './text-query.js';

/** Options of a text synthesised in this process. */
export interface OwnVoiceOptions {
  readonly label: string;
  /** Alias of the model for commands of tags. */
  readonly model: string;
  /** Environment with the keys of engines. */
  readonly env: Env;
  info(info: SoundInfo): void;
  warn(message: string): void;
  /** Called with a command at its time in the sound. The sound continues once it has settled. */
  cue(cue: Cue): Promise<void>;
}

/** A sentence and its position in the sound. */
export interface HeardSentence {
  readonly index: number;
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly state: 'heard' | 'cut';
}

/**
 * Synthesis of a text in this process, as its user: a program on the command line needs only its user's permissions, and
 * the service gets only the sound.
 */
export class LocalSynthesis {
  readonly #options: OwnVoiceOptions;
  readonly #pool: EnginePool;
  readonly #spoken: SpokenText;
  readonly #abort = new AbortController();
  readonly #cues: Cue[] = [];
  readonly #sentences: Omit<HeardSentence, 'state'>[] = [];

  /** @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING or OPTION_INVALID */
  constructor(text: AsyncIterable<string>, wish: TextWish, options: OwnVoiceOptions) {
    this.#options = options;
    this.#pool = new EnginePool({ environment: options.env, clock: systemClock }, { engines: wish.engines });
    const { tags, unknownTags, skip, dictionary, captions } = wish;
    const { label, model, warn } = options;
    const narrator = new TextNarrator({ clock: systemClock, model }, this.#pool, {});
    // The service's avatar moves its lips by the sound: the upload has no phonemes.
    this.#spoken = narrator.prepare(text, {
      ...wish.voice,
      ...{ tags, unknownTags, skip, dictionary, captions, label, lips: 'avatar' },
    });
    this.#spoken.tell({
      sentence: ({ index, text, startMs }) =>
        (this.#sentences[index] = { index, text, startMs, endMs: Infinity }),
      sentenceEnd: (index, endMs) => {
        const sentence = this.#sentences[index];
        if (sentence) this.#sentences[index] = { ...sentence, endMs };
      },
      cue: (atMs, send) => this.#cues.push({ atMs, send }),
      warn,
    });
  }

  /** Returns the sentences heard in whole or in part. @param heardMs heard part of the sound */
  heard(heardMs: number): HeardSentence[] {
    return this.#sentences
      .filter(({ startMs }) => startMs < heardMs)
      .map((sentence) => ({
        ...sentence,
        endMs: Math.min(sentence.endMs, heardMs),
        // Positions are reported in whole milliseconds.
        state: sentence.endMs <= heardMs + 1 ? 'heard' : 'cut',
      }));
  }

  /** Yields the sound, 16 kHz mono s16le, as it is made. @throws as `speechSound` */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const { label, info, warn } = this.#options;
    const converter = await createConverter(label);
    try {
      for await (const block of this.#spoken.sound.open({ signal: this.#abort.signal, info, warn })) {
        await this.#tellCues();
        const samples = converter.push(block);
        // Copied: the converter may reuse its buffer before the upload has taken it.
        if (samples.length > 0) yield Buffer.from(samples.slice().buffer);
      }
      await this.#tellCues();
      const rest = converter.flush();
      if (rest.length > 0) yield Buffer.from(rest.slice().buffer);
    } finally {
      converter.close();
    }
  }

  /** Stops the programs. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the rest of the text is not wanted'));
    await this.#pool.close();
  }

  /** Sends cues before the sound that they belong to. */
  async #tellCues(): Promise<void> {
    for (const cue of this.#cues.splice(0)) await this.#options.cue(cue);
  }
}

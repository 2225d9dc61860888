import { abortable } from '../base/abortable.js';
import { delay, type Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { SayOptions, SayText } from '../agent/say.js';
import type { PerformedSound, Stage } from '../speech/performing.js';
import { AVATAR_VOICE } from '../tts/engines/avatar.js';
import type { TtsEngine, VoiceOptions } from '../tts/engine.js';
import { scriptOf, type ScriptItem } from '../tts/script.js';
import { hasSpeech, speakableText } from '../tts/speakable.js';
import { withoutControls } from '../tts/control-characters.js';
import { cutToFit, type FittingPart } from '../tts/text-limit.js';
import { Captions } from './captions.js';

/** Maximum wait for the start of a sentence, in ms; usually 51 to 82 ms (protocol.md §9), longer on a busy machine. */
const START_WITHIN_MS = 2000;
/** Time added to a sentence's expected length before it is given up, in ms. */
const STOP_WITHIN_MS = 30_000;
const MS_PER_CHARACTER = 500;
/** Maximum wait for the event after SYNTH_STOP, in ms; it comes within 184 ms (protocol.md §9). */
const SILENT_WITHIN_MS = 1000;
/** Maximum wait for the late start of a sentence that was stopped before it began, in ms. */
const LATE_START_MS = 250;

/** Options of a text that the avatar itself speaks. */
export interface AvatarVoiceOptions extends Pick<
  SayOptions,
  'tags' | 'unknownTags' | 'dictionary' | 'skip' | 'captions' | 'onTag'
> {
  readonly clock: Clock;
  /** Alias of the speaking model. */
  readonly model: string;
  readonly engine: TtsEngine;
  readonly speech: VoiceOptions;
  /** Name of the text in messages, which may be known only as the text arrives. */
  readonly named: { readonly label: string };
}

/**
 * Performs a text with the avatar's own plugins: SYNTH_START sentence by sentence, each after the one before has been
 * heard; SYNTH_STOP on an interruption. Several agents can perform one text.
 */
export function avatarVoice(text: SayText, options: AvatarVoiceOptions): PerformedSound {
  const script = new SharedScript(text, options);
  return {
    get label() {
      return options.named.label;
    },
    live: false,
    open: () => {
      throw new BridgeError('INTERNAL', 'There is no sound of a text that the avatar speaks by itself.');
    },
    perform: (stage) => new Performance(stage, options).run(script.items(stage)),
  };
}

/** Steps of a text that is read once, for all agents that perform it. */
class SharedScript {
  readonly #text: SayText;
  readonly #options: AvatarVoiceOptions;
  readonly #abort = new AbortController();
  readonly #taken: ScriptItem[] = [];
  #source: AsyncIterator<ScriptItem> | undefined;
  #pending: Promise<boolean> | undefined;
  #readers = 0;

  constructor(text: SayText, options: AvatarVoiceOptions) {
    this.#text = text;
    this.#options = options;
  }

  async *items({ signal, warn }: Stage): AsyncGenerator<ScriptItem, void, undefined> {
    this.#readers += 1;
    this.#source ??= scriptOf(this.#text, {
      ...this.#options,
      tagVariables: { model: this.#options.model },
      signal: this.#abort.signal,
      onDropped: (tag) => warn(`The tag ${tag} is not in the table of tags and was left out.`),
    })[Symbol.asyncIterator]();
    try {
      for (let index = 0; ; index += 1) {
        while (index >= this.#taken.length) if (!(await abortable(this.#read(), signal))) return;
        yield this.#taken[index]!;
      }
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) {
        this.#abort.abort(new BridgeError('SPEECH_STOPPED', 'The rest of the text is not wanted.'));
        // Not awaited: it settles only after its pending step.
        this.#source.return?.().catch(() => undefined);
      }
    }
  }

  /** @returns false at the end */
  #read(): Promise<boolean> {
    this.#pending ??= this.#source!.next().then((next) => {
      this.#pending = undefined;
      if (next.done) return false;
      this.#taken.push(next.value);
      return true;
    });
    return this.#pending;
  }
}

/** One agent's performance of a text. */
class Performance {
  readonly #stage: Stage;
  readonly #options: AvatarVoiceOptions;
  readonly #captions: Captions | undefined;
  #startedAtMs: number | undefined;
  #sentences = 0;

  constructor(stage: Stage, options: AvatarVoiceOptions) {
    this.#stage = stage;
    this.#options = options;
    const { captions = false } = options;
    this.#captions = captions === false ? undefined : new Captions(captions === true ? {} : captions);
  }

  /** Performs the steps of a text one after the other. @throws BridgeError TEXT_EMPTY, VOICE_UNKNOWN or ENGINE_FAILED */
  async run(items: AsyncIterable<ScriptItem>): Promise<void> {
    const { signal, warn } = this.#stage;
    const { speech, clock, onTag, dictionary, engine } = this.#options;
    for (const [key, what] of [
      ['rate', 'speed'],
      ['pitchSemitones', 'pitch'],
      ['volume', 'volume'],
    ] as const) {
      if (speech[key] !== undefined)
        warn(`The engine avatar cannot change its ${what}; it is left as it is.`);
    }
    let isEmpty = true;
    let skipped = 0;
    for await (const item of items) {
      await this.#stage.resumed();
      if (item.kind === 'skipped') {
        skipped += 1;
        continue;
      }
      if (item.kind !== 'segment') {
        isEmpty = false;
        if (item.kind === 'pause') await delay(clock, item.ms, signal);
        else {
          for (const line of item.tag.commands) this.#stage.send(line);
          onTag?.(item.tag, this.#elapsedMs);
        }
        continue;
      }
      const clean = speakableText(item.text);
      const said = dictionary ? withoutControls(dictionary.apply(clean)) : clean;
      for (const part of cutToFit(item, said, [engine])) {
        if (!hasSpeech(part.said)) continue;
        isEmpty = false;
        await this.#speak(part);
      }
    }
    if (isEmpty) throw new BridgeError('TEXT_EMPTY', 'There is nothing to say in the text.');
    if (skipped > 0) warn(`Skipped ${skipped} parts of the text. Use --skip none to speak everything.`);
  }

  async #speak({ text: written, marks, said: words }: FittingPart): Promise<void> {
    const text = written.trim();
    const said = words.replace(/[|\r\n]+/g, ' ').trim();
    const { send, signal, onMessage } = this.#stage;
    const { model, speech, clock, onTag } = this.#options;
    const index = this.#sentences;
    this.#sentences += 1;
    let startMs: number | undefined;
    const heard = new Heard(clock);
    const off = onMessage((message) => {
      if (message === `SYNTH_EVENT_START|${model}`) {
        if (startMs !== undefined || signal.aborted) return heard.add('start');
        this.#startedAtMs ??= clock.nowMs();
        startMs = this.#elapsedMs;
        this.#stage.started();
        this.#stage.sentence({ index, text, startMs, endMs: undefined, state: 'begun' });
        for (const cue of this.#captions?.segment({ text, startMs: 0, durationMs: undefined }) ?? [])
          send(cue.send);
        for (const { tag } of marks) {
          for (const line of tag.commands) send(line);
          onTag?.(tag, startMs);
        }
        heard.add('start');
      } else if (message === `SYNTH_EVENT_STOP|${model}` && heard.has('start')) heard.add('stop');
    });
    try {
      send(`SYNTH_START|${model}|${speech.voice ?? AVATAR_VOICE}|${said}`);
      if (!(await abortable(heard.within(START_WITHIN_MS, 'start'), signal))) throw this.#silent();
      const longestMs = STOP_WITHIN_MS + said.length * MS_PER_CHARACTER;
      if (!(await abortable(heard.within(longestMs, 'stop'), signal))) {
        throw new BridgeError('ENGINE_FAILED', `The avatar has not told the end of a sentence: '${said}'.`);
      }
      this.#tellEnd(index, text, startMs!, 'heard');
    } catch (error) {
      if (signal.aborted) await this.#silence(heard, model);
      if (startMs !== undefined) this.#tellEnd(index, text, startMs, 'cut');
      throw error;
    } finally {
      off();
      if (this.#captions) send('CAPTION_STOP|bridge_caption');
    }
  }

  #tellEnd(index: number, text: string, startMs: number, state: 'heard' | 'cut'): void {
    this.#stage.sentence({ index, text, startMs, endMs: this.#elapsedMs, state });
  }

  /** Stops the sentence that is playing or about to play. */
  async #silence(heard: Heard, model: string): Promise<void> {
    const { send } = this.#stage;
    send(`SYNTH_STOP|${model}`);
    if (!heard.has('start')) {
      // A start that was already under way is not stopped by it.
      if (!(await heard.within(LATE_START_MS, 'start'))) return;
      send(`SYNTH_STOP|${model}`);
    }
    await heard.within(SILENT_WITHIN_MS, 'stop');
  }

  #silent(): BridgeError {
    const voice = this.#options.speech.voice ?? AVATAR_VOICE;
    return new BridgeError(
      'VOICE_UNKNOWN',
      `The avatar did not begin to speak with the voice '${voice}' within ${START_WITHIN_MS / 1000} s.`,
      {
        advice:
          'Enable the plugin Open_JTalk (Japanese) or Flite_plus_hts_engine (English) in the avatar, start the service without --answer-synth, and name a voice that its content loads.',
      },
    );
  }

  get #elapsedMs(): number {
    return this.#startedAtMs === undefined ? 0 : this.#options.clock.nowMs() - this.#startedAtMs;
  }
}

/** Progress of a sentence: its start, then its end. */
type Step = 'start' | 'stop';

/** Waits for the two events of a sentence. */
class Heard {
  readonly #clock: Clock;
  readonly #came = new Set<Step>();
  readonly #looks = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(step: Step): boolean {
    return this.#came.has(step);
  }

  add(step: Step): void {
    this.#came.add(step);
    for (const look of [...this.#looks]) look();
  }

  /** @returns whether it came in time */
  within(withinMs: number, step: Step): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (came: boolean): void => {
        timer.cancel();
        this.#looks.delete(look);
        resolve(came);
      };
      const look = (): void => {
        if (this.has(step)) end(true);
      };
      const timer = this.#clock.after(withinMs, () => end(false));
      this.#looks.add(look);
      look();
    });
  }
}

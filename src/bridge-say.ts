import { BridgeError } from './base/errors.js';
import type { AgentSettings } from './agent/settings.js';
import { Captions, type CaptionOptions } from './agent/captions.js';
import { autoLipCommand, closeMouthCommand } from './agent/wire.js';
import type { OptionValues } from './config.js';
import type { Speech, SpeechOptions } from './speech/speech.js';
import type { EnginePool, VoiceChoice } from './tts/engine-pool.js';
import type { Dictionary } from './tts/dictionary.js';
import { lipSyncLines } from './tts/lips.js';
import { speechSound, type SpeechSound } from './tts/speech-sound.js';
import type { TextPiece } from './tts/script.js';
import type { Tag, TagTable, UnknownTags } from './tts/tags.js';

/** How a text is spoken; what is left out comes from the bridge's own settings. */
export interface SayOptions extends Omit<SpeechOptions, 'lips' | 'sendIfCut' | 'gate'>, VoiceChoice {
  /**
   * Who moves the lips: `engine`, by the phonemes and times that the engine tells; `avatar`, from the sound; `auto`
   * (default), the engine where it can (protocol.md §7).
   */
  readonly lips?: 'auto' | 'engine' | 'avatar';
  /** What `[word]` in the text does. */
  readonly tags?: TagTable;
  /** What becomes of a tag that the table does not know; `drop` by default. */
  readonly unknownTags?: UnknownTags;
  /** Replacements before synthesis. */
  readonly dictionary?: Dictionary;
  /** Shows each sentence while it is spoken. */
  readonly captions?: boolean | CaptionOptions;
  /** Told each tag once it is known where it is heard, in ms of the sound: before it is. */
  readonly onTag?: (tag: Tag, atMs: number) => void;
  /** How messages name it; `the text` by default. */
  readonly label?: string;
}

/** How text is spoken unless a call says otherwise, apart from the voice, which the engines' pool knows. */
export type Manner = Omit<SayOptions, keyof VoiceChoice>;

/** The options that say in which voice a text is spoken when a call does not. */
export type VoiceValues = Pick<
  OptionValues,
  'engine' | 'voice' | 'language' | 'baseUrl' | 'fallback' | 'rate' | 'pitch' | 'volume'
>;

/** The voice of a bridge's own options, with what the program that made it says above them. */
export function usualVoice(values: VoiceValues, say: SayOptions): VoiceChoice {
  const { engine, voice, language, baseUrl, fallback, rate, pitch, volume } = values;
  const isSame = say.engine === undefined || say.engine === engine;
  return {
    engine,
    ...(isSame && voice !== '' && { voice }),
    ...(isSame && language !== '' && { language }),
    ...(isSame && baseUrl !== '' && { engineOptions: { baseUrl } }),
    ...(fallback !== '' && { fallback }),
    // The engine's own, unless told otherwise.
    ...(rate !== 1 && { rate }),
    ...(pitch !== 0 && { pitchSemitones: pitch }),
    ...(volume !== 1 && { volume }),
    ...voiceOf(say),
  };
}

const VOICE_KEYS = [
  ...(['engine', 'engineOptions', 'voice', 'language', 'rate', 'pitchSemitones'] as const),
  ...(['volume', 'fallback'] as const),
] as const satisfies (keyof VoiceChoice)[];

function voiceOf(say: SayOptions): VoiceChoice {
  return Object.fromEntries(VOICE_KEYS.filter((key) => say[key] !== undefined).map((key) => [key, say[key]]));
}

/** What is left of options without their voice. */
export function mannerOf(say: SayOptions): Manner {
  const keys: readonly string[] = VOICE_KEYS;
  return Object.fromEntries(Object.entries(say).filter(([key]) => !keys.includes(key)));
}

/** A text that is ready to be spoken, by one agent or by several. */
export interface SpokenText {
  readonly sound: SpeechSound;
  /** What its speech is asked for with. */
  readonly options: SpeechOptions;
  /** Adds what the text tells as it is synthesised to a speech of its sound: lips, tags and captions as heard. */
  follow(speech: Speech, send: (line: string) => Promise<void>): void;
}

/** Turns texts into sounds, for every agent of a bridge. */
export class Narrator {
  readonly #settings: AgentSettings;
  readonly #engines: EnginePool;
  readonly #manner: Manner;

  constructor(settings: AgentSettings, engines: EnginePool, manner: Manner) {
    this.#settings = settings;
    this.#engines = engines;
    this.#manner = manner;
  }

  /**
   * Nothing is synthesised before the sound is opened.
   * @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING or OPTION_INVALID
   */
  prepare(text: string | AsyncIterable<TextPiece>, options: SayOptions): SpokenText {
    const all = { ...this.#manner, ...options };
    const { engine, speech: voice, fallback } = this.#engines.choose(options);
    const model = all.model ?? this.#settings.model;
    const lips =
      all.lips === 'engine' || (all.lips !== 'avatar' && engine.capabilities.timing === 'phonemes');
    const sound = speechSound(text, {
      engine,
      speech: voice,
      ...(fallback && { fallback }),
      ...(all.tags && { tags: all.tags }),
      ...(all.unknownTags && { unknownTags: all.unknownTags }),
      ...(all.dictionary && { dictionary: all.dictionary }),
      tagVariables: { model },
      clock: this.#settings.clock,
      label: all.label ?? 'the text',
    });
    return {
      sound,
      options: {
        ...all,
        lips: lips ? 'commands' : 'avatar',
        ...(lips && { sendIfCut: closeMouthCommand(model) }),
      },
      follow: (speech, send) =>
        follow(sound, speech, { model, lips, captions: all.captions, onTag: all.onTag, send }),
    };
  }
}

interface Follower {
  readonly model: string;
  readonly lips: boolean;
  readonly captions: SayOptions['captions'];
  readonly onTag: SayOptions['onTag'];
  send(line: string): Promise<void>;
}

function follow(sound: SpeechSound, speech: Speech, follower: Follower): void {
  const { model, lips, captions, onTag, send } = follower;
  const cue = (atMs: number, line: string, always = false): void => {
    try {
      speech.cue(atMs, line, { always });
    } catch (error) {
      // A text that is written by a language model must not end for a command that it may not send.
      if (error instanceof BridgeError && error.code !== 'CLOSED') speech.tell('warning', error.message);
    }
  };
  let lipsAreOurs = lips;
  const shown =
    captions === undefined || captions === false
      ? undefined
      : new Captions(captions === true ? {} : captions);
  sound.events.on('segment', (segment) => {
    const timed = segment.phonemes.length > 0;
    if (lips && timed !== lipsAreOurs) {
      // A segment without times, by the fallback engine: the avatar's own lip-sync has to do, until the next one.
      cue(segment.startMs, autoLipCommand(timed ? 'ALWAYS' : 'NO'));
      lipsAreOurs = timed;
    }
    if (lips && timed) {
      for (const line of lipSyncLines(model, segment.phonemes))
        cue(segment.startMs + line.atMs, line.command);
    }
    for (const { atMs, send, always } of shown?.segment(segment) ?? []) cue(atMs, send, always);
  });
  sound.events.on('mark', ({ tag, atMs }) => {
    for (const line of tag.commands) cue(atMs, line);
    onTag?.(tag, atMs);
  });
  void speech.finished.then(() => {
    if (lips && !lipsAreOurs) void send(autoLipCommand('ALWAYS')).catch(() => undefined);
  });
}

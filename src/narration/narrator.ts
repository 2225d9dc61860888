import { LIP_LEAD_MS } from '../base/avatar.js';
import { BridgeError } from '../base/errors.js';
import type { Clock } from '../base/clock.js';
import type { NarrationTarget, Narrator, SayOptions, SayText, SpokenText } from '../agent/say.js';
import { autoLipCommand, closeMouthCommand } from '../agent/wire.js';
import type { OptionValues } from '../config.js';
import type { Speech, SpokenSentence } from '../speech/speech.js';
import type { EnginePool, VoiceChoice } from '../tts/engine-pool.js';
import { speechSound, type SpeechSound } from '../tts/speech-sound.js';
import { avatarVoice } from './avatar-voice.js';
import { Captions } from './captions.js';
import { labelled } from './label.js';
import { lipSyncLines } from './lips.js';

/** Default options of spoken text, without the voice, which the engine pool knows. */
export type Manner = Omit<SayOptions, keyof VoiceChoice>;

/** Options that give the default voice. */
export type VoiceValues = Pick<
  OptionValues,
  'engine' | 'voice' | 'language' | 'baseUrl' | 'fallback' | 'rate' | 'pitchSemitones' | 'volume'
>;

/** Returns the default voice from a bridge's options, overridden by the options of the calling program. */
export function usualVoice(values: VoiceValues, say: SayOptions): VoiceChoice {
  const { engine, voice, language, baseUrl, fallback, rate, pitchSemitones, volume } = values;
  const isSame = say.engine === undefined || say.engine === engine;
  return {
    engine,
    ...(isSame && voice !== '' && { voice }),
    ...(isSame && language !== '' && { language }),
    ...(isSame && baseUrl !== '' && { engineOptions: { baseUrl } }),
    ...(fallback !== '' && { fallback }),
    // By default the engine's own.
    ...(rate !== 1 && { rate }),
    ...(pitchSemitones !== 0 && { pitchSemitones }),
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

/** Returns the options without the voice. */
export function mannerOf(say: SayOptions): Manner {
  const keys: readonly string[] = VOICE_KEYS;
  return Object.fromEntries(Object.entries(say).filter(([key]) => !keys.includes(key)));
}

/** Turns texts into sounds with the engines of a pool, including their lips, tags and captions. */
export class TextNarrator implements Narrator {
  readonly #clock: Clock;
  readonly #model: string;
  readonly #engines: EnginePool;
  readonly #manner: Manner;

  /** @param settings.model alias of the default model */
  constructor(settings: { clock: Clock; model: string }, engines: EnginePool, manner: Manner) {
    this.#clock = settings.clock;
    this.#model = settings.model;
    this.#engines = engines;
    this.#manner = manner;
  }

  /** @see Narrator.prepare */
  prepare(text: SayText, options: SayOptions): SpokenText {
    const all = { ...this.#manner, ...options };
    const { engine, speech: voice, fallback } = this.#engines.choose(options);
    const model = all.model ?? this.#model;
    const labelledText = labelled(text);
    const named = all.label === undefined ? labelledText : { label: all.label };
    if (fallback?.engine.capabilities.performs)
      throw new BridgeError('OPTION_INVALID', 'The engine avatar cannot be a fallback: it has no sound.');
    if (engine.capabilities.performs) {
      const { tags, unknownTags, dictionary, skip, captions, onTag } = all;
      const how = { tags, unknownTags, dictionary, skip, captions, onTag, engine };
      const sound = avatarVoice(labelledText.text, {
        ...how,
        clock: this.#clock,
        model,
        speech: voice,
        named,
      });
      return { sound, options: { ...all, lips: 'avatar' }, tell: () => undefined, follow: () => undefined };
    }
    const lips = all.lips === 'engine' || (isAuto(all.lips) && engine.capabilities.timing === 'phonemes');
    const sound = speechSound(labelledText.text, {
      engine,
      speech: voice,
      fallback,
      tags: all.tags,
      unknownTags: all.unknownTags,
      skip: all.skip,
      dictionary: all.dictionary,
      tagVariables: { model },
      clock: this.#clock,
      get label() {
        return named.label;
      },
    });
    const how = { model, lips, captions: all.captions, onTag: all.onTag };
    return {
      sound,
      options: {
        ...all,
        lips: lips || all.lips === 'none' ? 'commands' : 'avatar',
        ...(lips && { sendIfCut: closeMouthCommand(model) }),
      },
      tell: (target) => void narrate(sound, how, target),
      follow(speech, send) {
        const told = narrate(sound, how, {
          cue: (atMs, line, how) => speech.cue(atMs, line, how),
          warn: (message) => speech.tell('warning', message),
          ...tellSentences(speech),
        });
        void speech.finished.then(() => {
          if (lips && !told.lipsAreOurs) void send(autoLipCommand('ALWAYS')).catch(() => undefined);
        });
      },
    };
  }
}

/** Emits the sentences of a text as events of its speech, each when it is heard. */
function tellSentences(speech: Speech): Pick<NarrationTarget, 'sentence' | 'sentenceEnd'> {
  const open = new Map<number, Omit<SpokenSentence, 'endMs' | 'state'>>();
  const end = (index: number, endMs: number, state: 'heard' | 'cut'): void => {
    const sentence = open.get(index);
    if (open.delete(index)) speech.tell('sentence', { ...sentence!, endMs, state });
  };
  // Before `ended`, which is the last event of a speech.
  speech.on('state', (state) => {
    if (state !== 'ended') return;
    for (const { index, startMs } of [...open.values()])
      end(index, Math.max(startMs, speech.end?.heardMs ?? 0), 'cut');
  });
  return {
    sentence: (sentence) =>
      speech.notice(sentence.startMs, () => {
        open.set(sentence.index, sentence);
        speech.tell('sentence', { ...sentence, endMs: undefined, state: 'begun' });
      }),
    sentenceEnd: (index, endMs) => speech.notice(endMs, () => end(index, endMs, 'heard')),
  };
}

function isAuto(lips: SayOptions['lips']): boolean {
  return lips === undefined || lips === 'auto';
}

interface NarrationOptions extends Pick<SayOptions, 'captions' | 'onTag'> {
  readonly model: string;
  readonly lips: boolean;
}

/**
 * Sends a text's lips, tags and captions to a target while its sound is made.
 * @returns whether commands moved the lips in the last segment
 */
function narrate(
  sound: SpeechSound,
  { model, lips, captions, onTag }: NarrationOptions,
  target: NarrationTarget,
): { readonly lipsAreOurs: boolean } {
  const told = { lipsAreOurs: lips };
  const cue = (atMs: number, line: string, always?: boolean): void => {
    try {
      target.cue(atMs, line, { always });
    } catch (error) {
      // A language model's text must not end because it contains a forbidden command.
      if (error instanceof BridgeError && error.code !== 'CLOSED') target.warn(error.message);
    }
  };
  const shown =
    captions === undefined || captions === false
      ? undefined
      : new Captions(captions === true ? {} : captions);
  sound.events.on('segment', (segment) => {
    const { index, text, startMs } = segment;
    target.sentence({ index, text: text.trim(), startMs });
    const timed = segment.phonemes.length > 0;
    if (lips && timed !== told.lipsAreOurs) {
      // A segment of the fallback engine has no times: the avatar's own lip-sync is used until the next one.
      cue(segment.startMs, autoLipCommand(timed ? 'ALWAYS' : 'NO'));
      told.lipsAreOurs = timed;
    }
    if (lips && timed) {
      for (const line of lipSyncLines(model, segment.phonemes))
        cue(segment.startMs + line.atMs + LIP_LEAD_MS, line.command);
    }
    for (const { atMs, send, always } of shown?.segment(segment) ?? []) cue(atMs, send, always);
  });
  sound.events.on('spoken', ({ index, endMs }) => target.sentenceEnd(index, endMs));
  sound.events.on('mark', ({ tag, atMs }) => {
    for (const line of tag.commands) cue(atMs, line);
    onTag?.(tag, atMs);
  });
  return told;
}

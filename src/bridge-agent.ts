import { BridgeError } from './base/errors.js';
import { Agent, type AgentSettings } from './agent/agent.js';
import { autoLipCommand, closeMouthCommand } from './agent/wire.js';
import type { Cue } from './speech/cues.js';
import type { Speech, SpeechOptions } from './speech/speech.js';
import { Captions, type CaptionOptions } from './agent/captions.js';
import type { EnginePool, VoiceChoice } from './tts/engine-pool.js';
import type { Dictionary } from './tts/dictionary.js';
import { lipSyncLines } from './tts/lips.js';
import { speechSound, type SpeechSound } from './tts/speech-sound.js';
import type { TagTable, UnknownTags } from './tts/tags.js';

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
  /** How messages name it; `the text` by default. */
  readonly label?: string;
}

/** An agent that can be given text: what `bridge.agent()` returns. */
export class BridgeAgent extends Agent {
  readonly #settings: AgentSettings;
  readonly #engines: EnginePool;
  readonly #defaults: SayOptions;

  /** Made by the bridge, never by a caller. */
  constructor(name: string, settings: AgentSettings, engines: EnginePool, defaults: SayOptions) {
    super(name, settings);
    this.#settings = settings;
    this.#engines = engines;
    this.#defaults = defaults;
  }

  /**
   * Speaks a text, whole or while it is being written: the first sentence sounds while the next ones are still to come.
   * @param text a string, or the pieces of a text as a language model gives them
   * @returns the speech; its sound fails with TEXT_EMPTY when there is nothing to say, or with the engine's error
   * @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING, OPTION_INVALID, or as `speak`
   */
  say(text: string | AsyncIterable<string>, options: SayOptions = {}): Speech {
    const all = { ...this.#defaults, ...options };
    const { engine, speech: voice, fallback } = this.#engines.choose(all);
    const model = all.model ?? this.#settings.model;
    const lipsByCommands =
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
    const spoken = this.speak(sound, {
      ...all,
      lips: lipsByCommands ? 'commands' : 'avatar',
      ...(lipsByCommands && { sendIfCut: closeMouthCommand(model) }),
    });
    this.#follow(sound, spoken, model, lipsByCommands, all.captions);
    return spoken;
  }

  /** Turns what the text tells as it is synthesised into cues of its speech: lips, tags and captions as heard. */
  #follow(
    sound: SpeechSound,
    speech: Speech,
    model: string,
    lips: boolean,
    captions: SayOptions['captions'],
  ): void {
    const cue = (atMs: number, send: string, always = false): void => {
      try {
        const line: Cue = { atMs, send, always };
        speech.cue(line.atMs, line.send, { always });
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
      for (const send of tag.commands) cue(atMs, send);
    });
    void speech.finished.then(() => {
      if (lips && !lipsAreOurs) void this.send(autoLipCommand('ALWAYS')).catch(() => undefined);
    });
  }
}

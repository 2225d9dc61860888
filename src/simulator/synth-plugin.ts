import type { Clock, Timer } from '../base/clock.js';

/**
 * Delays from the echo of SYNTH_START to its events, from there to the sound, and from its end to the event
 * (protocol.md §9).
 */
const START_MS = 22;
const SOUND_MS = 25;
const STOP_AFTER_SOUND_MS = 20;
/** Delays from SYNTH_STOP to silence, and to the event (protocol.md §9). */
const CUT_SOUND_MS = 130;
const CUT_EVENT_MS = 150;

/** Speech plugins of a simulated avatar, and their speed. */
export interface SynthPluginOptions {
  /** Names of the known voices. Without voices there is no plugin, and SYNTH_START is only echoed. */
  readonly voices: readonly string[];
  /** Duration of a spoken character, in ms. Default 60. */
  readonly characterMs?: number | undefined;
}

/** A speech of a plugin. Times are monotonic ms. */
export interface PluginSpeech {
  readonly alias: string;
  readonly voice: string;
  readonly text: string;
  readonly startedAtMs: number;
  /** Time at which its sound ends. */
  readonly endsAtMs: number;
}

interface Speaking {
  speech: PluginSpeech;
  readonly timers: Timer[];
  cut: boolean;
}

/**
 * Speech synthesis of the avatar, as a script sees it: the events of SYNTH_START and SYNTH_STOP (protocol.md
 * §9).
 */
export class SynthPlugin {
  readonly #clock: Clock;
  readonly #options: SynthPluginOptions;
  readonly #hasModel: (alias: string) => boolean;
  readonly #say: (...messages: readonly string[]) => void;
  readonly #onSpeech: (speech: PluginSpeech) => void;
  readonly #speaking = new Map<string, Speaking>();
  readonly #starting = new Map<string, Timer>();
  #on = true;

  constructor(
    clock: Clock,
    options: SynthPluginOptions,
    world: {
      hasModel(alias: string): boolean;
      say(...messages: readonly string[]): void;
      onSpeech(speech: PluginSpeech): void;
    },
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#hasModel = (alias) => world.hasModel(alias);
    this.#say = (...messages) => world.say(...messages);
    this.#onSpeech = (speech) => world.onSpeech(speech);
  }

  /**
   * Handles PLUGIN_ENABLE and PLUGIN_DISABLE: a speech in progress continues, and can no longer be stopped.
   */
  enable(on: boolean): void {
    this.#on = on;
  }

  /** Handles SYNTH_START after its echo. */
  start(alias: string, voice: string, text: string): void {
    if (!this.#on || this.#options.voices.length === 0 || text === '') return;
    const known = this.#options.voices.includes(voice);
    const waitMs = this.#cut(alias) ? CUT_EVENT_MS : START_MS;
    // An unknown voice is not spoken, but still cuts the current speech.
    if (!known) return;
    this.#starting.get(alias)?.cancel();
    this.#starting.set(
      alias,
      this.#clock.after(waitMs, () => {
        this.#starting.delete(alias);
        this.#begin(alias, voice, text);
      }),
    );
  }

  /** Handles SYNTH_STOP after its echo. */
  stop(alias: string): void {
    if (!this.#on || this.#options.voices.length === 0) return;
    this.#say(`LIPSYNC_STOP|${alias}`);
    this.#cut(alias);
  }

  /** Stops every timer. */
  close(): void {
    for (const timer of this.#starting.values()) timer.cancel();
    for (const { timers } of this.#speaking.values()) for (const timer of timers) timer.cancel();
    this.#starting.clear();
    this.#speaking.clear();
  }

  #begin(alias: string, voice: string, text: string): void {
    const spoken = text.replace(/[^\p{L}\p{N}]/gu, '');
    const lengthMs = spoken.length * (this.#options.characterMs ?? 60);
    this.#say(`SYNTH_EVENT_START|${alias}`);
    if (lengthMs === 0) return this.#say(`SYNTH_EVENT_STOP|${alias}`);
    if (this.#hasModel(alias))
      this.#say(`LIPSYNC_START|${alias}|a,${lengthMs},pau,100`, `LIPSYNC_EVENT_START|${alias}`);
    const startedAtMs = this.#clock.nowMs() + SOUND_MS;
    const speaking: Speaking = {
      speech: { alias, voice, text, startedAtMs, endsAtMs: startedAtMs + lengthMs },
      timers: [],
      cut: false,
    };
    this.#speaking.set(alias, speaking);
    this.#endAfter(speaking, SOUND_MS + lengthMs + STOP_AFTER_SOUND_MS);
  }

  /** @returns true when something sounded */
  #cut(alias: string): boolean {
    const speaking = this.#speaking.get(alias);
    if (!speaking) return false;
    if (!speaking.cut) {
      speaking.cut = true;
      const endsAtMs = Math.min(speaking.speech.endsAtMs, this.#clock.nowMs() + CUT_SOUND_MS);
      speaking.speech = { ...speaking.speech, endsAtMs };
      for (const timer of speaking.timers.splice(0)) timer.cancel();
      this.#endAfter(speaking, CUT_EVENT_MS);
    }
    return true;
  }

  #endAfter(speaking: Speaking, delayMs: number): void {
    const { alias } = speaking.speech;
    speaking.timers.push(
      this.#clock.after(delayMs, () => {
        this.#speaking.delete(alias);
        this.#onSpeech(speaking.speech);
        this.#say(`SYNTH_EVENT_STOP|${alias}`);
      }),
    );
  }
}

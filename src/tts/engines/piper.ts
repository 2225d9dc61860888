import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type {
  EngineHost,
  VoiceOptions,
  SynthesisContext,
  SynthesisPart,
  TtsEngine,
  Voice,
} from '../engine.js';
import { defineEngine, httpClient, httpOptions } from '../engine-definition.js';
import type { HttpClient } from '../http-client.js';
import { programSound } from '../program-sound.js';
import { wavParts } from '../wav-length.js';

const INSTALL = "Install it: 'pip install piper-tts', and download a voice.";
/** Sample rate of a voice without a description file: that of all voices of medium quality. */
const USUAL_RATE_HZ = 22_050;

const optionsSchema = z.strictObject({
  ...httpOptions('http://127.0.0.1:5000'),
  model: z
    .string()
    .min(1)
    .optional()
    .describe('A voice file (.onnx): run the program in place of asking a server.'),
  program: z.string().min(1).default('piper').describe('The program, by name or path.'),
  speaker: z.string().optional().describe('A speaker of a voice with several, by name.'),
  speakerId: z.number().int().min(0).optional().describe('The same by number.'),
  noiseScale: z.number().min(0).max(2).optional().describe('How much the voice varies.'),
  noiseWScale: z.number().min(0).max(2).optional().describe('How much the lengths of sounds vary.'),
});
type Options = z.output<typeof optionsSchema>;

const voicesSchema = z.record(
  z.string(),
  z.looseObject({ language: z.looseObject({ code: z.string().optional() }).optional() }),
);
const modelSchema = z.looseObject({ audio: z.looseObject({ sample_rate: z.number().int().positive() }) });

/** Piper: its server, or the program itself when a model is given. */
export const piper = defineEngine({
  name: 'piper',
  summary: 'Piper, many languages, on this machine, as a server or a program',
  options: optionsSchema,
  create: (options, host) =>
    options.model === undefined
      ? new PiperServer(options, host)
      : new PiperProgram(options, options.model, host),
});

class PiperServer implements TtsEngine {
  readonly name = 'piper';
  readonly capabilities;
  readonly #options: Options;
  readonly #client: HttpClient;
  /** Path of synthesis; older builds use the root. */
  #path = '/synthesize';

  constructor(options: Options, host: EngineHost) {
    this.#options = options;
    const parallel = options.parallel ?? 1;
    this.capabilities = {
      ...({ streams: false, parallel, timing: 'none', volume: false } as const),
      lacks: ['pitchSemitones'] as const,
    };
    this.#client = httpClient(this.name, options, host);
  }

  async *synthesise(
    text: string,
    { voice, rate }: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const { speaker, speakerId, noiseScale, noiseWScale } = this.#options;
    const body = {
      text,
      voice,
      speaker,
      speaker_id: speakerId,
      length_scale: rate === undefined ? undefined : 1 / rate,
      noise_scale: noiseScale,
      noise_w_scale: noiseWScale,
    };
    const accept = this.#path === '/' ? [] : [404, 405];
    let reply = await this.#client.request(this.#path, { body, accept }, signal);
    if (reply.status >= 300) {
      await reply.cancel();
      reply = await this.#client.request('/', { body }, signal);
      this.#path = '/';
    }
    yield* wavParts(reply.audio(), this.#client);
  }

  async voices(signal: AbortSignal): Promise<Voice[]> {
    const reply = await this.#client.request('/voices', { method: 'GET' }, signal);
    const voices = await reply.json(voicesSchema);
    return Object.entries(voices).map(([id, { language }]) => ({
      id,
      name: id,
      language: language?.code?.replace('_', '-'),
    }));
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }
}

class PiperProgram implements TtsEngine {
  readonly name = 'piper';
  readonly capabilities = {
    ...({ streams: true, parallel: 1, timing: 'none', volume: false } as const),
    lacks: ['pitchSemitones'],
  } as const;
  readonly #options: Options;
  readonly #model: string;
  readonly #host: EngineHost;

  constructor(options: Options, model: string, host: EngineHost) {
    this.#options = options;
    this.#model = model;
    this.#host = host;
  }

  async *synthesise(
    text: string,
    { rate }: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const { speakerId, noiseScale, noiseWScale, program, idleMs = 30_000 } = this.#options;
    const args = ['--model', this.#model, '--output-raw'];
    if (speakerId !== undefined) args.push('--speaker', String(speakerId));
    if (rate !== undefined) args.push('--length-scale', String(1 / rate));
    if (noiseScale !== undefined) args.push('--noise-scale', String(noiseScale));
    if (noiseWScale !== undefined) args.push('--noise-w-scale', String(noiseWScale));
    const sampleRateHz = await rateOf(this.#model);
    yield { kind: 'format', format: { encoding: 's16le', sampleRateHz, channels: 1 } };
    // Piper speaks line by line, so one utterance must be one line.
    const stdin = `${text.replace(/\s*\n\s*/g, ' ').trim()}\n`;
    const { clock } = this.#host;
    const call = { engine: this.name, program, args, stdin, idleMs, clock, signal, install: INSTALL };
    for await (const bytes of programSound(call)) yield { kind: 'audio', bytes };
  }

  async voices(): Promise<Voice[]> {
    return [{ id: this.#model, name: this.#model }];
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }
}

/** Returns the rate in the description file of a voice (`voice.onnx.json`). */
async function rateOf(model: string): Promise<number> {
  try {
    return modelSchema.parse(JSON.parse(await readFile(`${model}.json`, 'utf8'))).audio.sample_rate;
  } catch {
    return USUAL_RATE_HZ;
  }
}

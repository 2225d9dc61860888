import { z } from 'zod';
import type { RawFormat } from '../../audio/decode/raw.js';
import type { EngineHost, VoiceOptions, SynthesisPart, TtsEngine, Voice } from '../engine.js';
import {
  defineEngine,
  httpClient,
  httpOptions,
  keyOptions,
  rawFormatOption,
  requiredKey,
  type EngineDefinition,
} from '../engine-definition.js';
import type { HttpClient } from '../http-client.js';
import { voicesIn } from '../voice-list.js';
import { readCaptionedSpeech } from './captioned-speech.js';

/** Format that the API calls `pcm`. */
const PCM: RawFormat = { encoding: 's16le', sampleRateHz: 24_000, channels: 1 };
/** Maximum text of a request, set by the API. */
const MAX_CHARS = 4096;
const OPENAI_VOICES = 'alloy ash ballad coral echo fable nova onyx sage shimmer verse'.split(' ');
/** Paths at which compatible servers list their voices. */
const VOICE_PATHS = ['/v1/audio/voices', '/v1/voices', '/voices', '/v1/audio/speech/voices'];

interface Flavour {
  readonly name: string;
  readonly summary: string;
  readonly baseUrl: string;
  readonly model: string;
  readonly voice: string;
  readonly parallel: number;
}

function optionsSchema(flavour: Flavour) {
  return z.strictObject({
    ...httpOptions(flavour.baseUrl),
    ...keyOptions('OPENAI_API_KEY'),
    model: z.string().min(1).default(flavour.model).describe('The model.'),
    responseFormat: z
      .string()
      .regex(/^\w{1,20}$/)
      .default('pcm')
      .describe('Asks for sound in this format: pcm, wav, mp3, flac, opus or what the server has.'),
    format: rawFormatOption('Format of headerless PCM that is not s16le:24000:1, such as s16le:22050:1.'),
    instructions: z.string().optional().describe('How to speak, in words, for models that take it.'),
    wordTimes: z
      .boolean()
      .default(false)
      .describe('Kokoro-FastAPI: ask for the time of each word, for captions.'),
  });
}

/** Makes an engine for OpenAI's `/v1/audio/speech`, which many servers implement. */
export function openaiFamily(flavour: Flavour): EngineDefinition {
  return defineEngine({
    name: flavour.name,
    summary: flavour.summary,
    options: optionsSchema(flavour),
    create: (options, host) => new OpenAiEngine(flavour, options, host),
  });
}

type Options = z.output<ReturnType<typeof optionsSchema>>;

class OpenAiEngine implements TtsEngine {
  readonly name: string;
  readonly capabilities;
  readonly #flavour: Flavour;
  readonly #options: Options;
  readonly #client: HttpClient;
  readonly #isOpenAi: boolean;

  constructor(flavour: Flavour, options: Options, host: EngineHost) {
    this.name = flavour.name;
    this.#flavour = flavour;
    this.#options = options;
    this.capabilities = {
      streams: true,
      parallel: options.parallel ?? flavour.parallel,
      timing: options.wordTimes ? ('spans' as const) : ('none' as const),
      volume: false,
      lacks: ['pitchSemitones'] as const,
      maxChars: MAX_CHARS,
    };
    this.#isOpenAi = new URL(options.baseUrl).hostname.endsWith('.openai.com');
    // A compatible server on the user's own machine needs no key, but gets one that is named for it.
    const key = this.#isOpenAi ? requiredKey(this.name, host, options.keyEnv) : this.#optionalKey(host);
    this.#client = httpClient(
      this.name,
      { ...options, baseUrl: options.baseUrl.replace(/\/v1\/?$/, '') },
      host,
      {
        headers: key ? { authorization: `Bearer ${key}` } : {},
        secrets: key ? [key] : [],
      },
    );
  }

  async *synthesise(
    text: string,
    speech: VoiceOptions,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const body = {
      model: this.#options.model,
      input: text,
      voice: speech.voice ?? this.#flavour.voice,
      response_format: this.#options.responseFormat,
      speed: speech.rate,
      instructions: this.#options.instructions,
    };
    if (this.#options.wordTimes) {
      const request = { body: { ...body, stream: true, return_timestamps: true } };
      const reply = await this.#client.request('/dev/captioned_speech', request, signal);
      yield { kind: 'format', format: this.#options.format ?? PCM };
      yield* readCaptionedSpeech(reply, this.#client);
      return;
    }
    const reply = await this.#client.request('/v1/audio/speech', { body }, signal);
    yield* reply.sound(PCM, this.#options.format);
  }

  async voices(signal: AbortSignal): Promise<Voice[]> {
    if (this.#isOpenAi) return OPENAI_VOICES.map((id) => ({ id, name: id }));
    for (const path of VOICE_PATHS) {
      const reply = await this.#client.request(path, { method: 'GET', accept: [404, 405] }, signal);
      if (reply.status < 300) return voicesIn(await reply.json(z.unknown()));
      await reply.cancel();
    }
    throw this.#client.error('ENGINE_REFUSED', `has no list of voices at ${VOICE_PATHS.join(' or ')}.`);
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }

  #optionalKey(host: EngineHost): string | undefined {
    // The key in the usual variable belongs to OpenAI: it is sent to another host only if the user named it.
    return this.#options.keyEnv === 'OPENAI_API_KEY'
      ? undefined
      : requiredKey(this.name, host, this.#options.keyEnv);
  }
}

import { z } from 'zod';
import { defined } from '../../base/defined.js';
import type {
  EngineHost,
  VoiceOptions,
  SynthesisContext,
  SynthesisPart,
  TtsEngine,
  Voice,
} from '../engine.js';
import { defineEngine, httpClient, httpOptions, keyOptions, requiredKey } from '../engine-definition.js';
import { HTTP_LIMITS, type HttpClient } from '../http-client.js';
import { voicesIn } from '../voice-list.js';
import { ElevenLabsSocket } from './elevenlabs-socket.js';

/** Default voice: one of the service's sample voices, which every account has. */
const DEFAULT_VOICE = 'JBFqnCBsd6RMkjVDRZzb';
const OUTPUT_FORMAT = 'pcm_16000';
/** Speed range of the service. */
const SPEED = { min: 0.7, max: 1.2 };

const optionsSchema = z.strictObject({
  ...httpOptions('https://api.elevenlabs.io'),
  ...keyOptions('ELEVENLABS_API_KEY'),
  model: z.string().min(1).default('eleven_flash_v2_5').describe('The model.'),
  transport: z
    .enum(['http', 'websocket'])
    .default('http')
    .describe('websocket keeps one connection and tells the time of each character.'),
  stability: z.number().min(0).max(1).optional().describe('How even the voice is.'),
  similarityBoost: z.number().min(0).max(1).optional().describe('How close to the original voice.'),
});

/** ElevenLabs, over HTTP or its WebSocket with several contexts. */
export const elevenlabs = defineEngine({
  name: 'elevenlabs',
  summary: 'ElevenLabs, many languages, in the cloud',
  options: optionsSchema,
  create: (options, host) => new ElevenLabsEngine(options, host),
});

class ElevenLabsEngine implements TtsEngine {
  readonly name = 'elevenlabs';
  readonly capabilities;
  readonly #options: z.output<typeof optionsSchema>;
  readonly #client: HttpClient;
  readonly #host: EngineHost;
  readonly #key: string;
  /** Connections by voice: the voice is part of the address. */
  readonly #sockets = new Map<string, ElevenLabsSocket>();

  constructor(options: z.output<typeof optionsSchema>, host: EngineHost) {
    this.#options = options;
    this.#host = host;
    this.#key = requiredKey(this.name, host, options.keyEnv);
    this.#client = httpClient(this.name, options, host, {
      headers: { 'xi-api-key': this.#key },
      secrets: [this.#key],
    });
    this.capabilities = {
      streams: true,
      parallel: options.parallel ?? 2,
      timing: options.transport === 'websocket' ? ('spans' as const) : ('none' as const),
      volume: false,
      lacks: ['pitchSemitones'] as const,
      maxChars: 2500,
    };
  }

  async *synthesise(
    text: string,
    speech: VoiceOptions,
    context: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const raw = { encoding: 's16le', sampleRateHz: 16_000, channels: 1 } as const;
    const voice = speech.voice ?? DEFAULT_VOICE;
    const settings = this.#settings(speech, context);
    if (this.#options.transport === 'websocket') {
      yield { kind: 'format', format: raw };
      yield* this.#socket(voice).speak(text, settings, context.signal);
      return;
    }
    const request = {
      query: { output_format: OUTPUT_FORMAT },
      body: {
        text,
        model_id: this.#options.model,
        language_code: speech.language?.slice(0, 2).toLowerCase(),
        voice_settings: settings,
      },
    };
    const path = `/v1/text-to-speech/${encodeURIComponent(voice)}/stream`;
    const reply = await this.#client.request(path, request, context.signal);
    yield* reply.sound(raw);
  }

  async voices(signal: AbortSignal): Promise<Voice[]> {
    const reply = await this.#client.request('/v1/voices', { method: 'GET' }, signal);
    return voicesIn(await reply.json(z.unknown()));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #settings({ rate }: VoiceOptions, context: SynthesisContext): Record<string, number> | undefined {
    const { stability, similarityBoost } = this.#options;
    const speed = rate === undefined ? undefined : Math.max(SPEED.min, Math.min(SPEED.max, rate));
    if (speed !== rate) {
      context.warn(
        `The engine elevenlabs speaks at ${SPEED.min} to ${SPEED.max} of its speed; ${rate ?? ''} is beyond.`,
      );
    }
    const settings: Record<string, number> = defined({ stability, similarity_boost: similarityBoost, speed });
    return Object.keys(settings).length > 0 ? settings : undefined;
  }

  #socket(voice: string): ElevenLabsSocket {
    let socket = this.#sockets.get(voice);
    if (socket) return socket;
    const url = new URL(
      this.#options.baseUrl.replace(/^http/, 'ws').replace(/\/+$/, '') +
        `/v1/text-to-speech/${encodeURIComponent(voice)}/multi-stream-input`,
    );
    url.searchParams.set('model_id', this.#options.model);
    url.searchParams.set('output_format', OUTPUT_FORMAT);
    url.searchParams.set('auto_mode', 'true');
    socket = new ElevenLabsSocket({
      url,
      headers: { 'xi-api-key': this.#key },
      client: this.#client,
      clock: this.#host.clock,
      idleMs: this.#options.idleMs ?? HTTP_LIMITS.idleMs,
    });
    this.#sockets.set(voice, socket);
    return socket;
  }
}

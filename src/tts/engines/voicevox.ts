import { z } from 'zod';
import { defined } from '../../base/defined.js';
import type { VoiceOptions, SynthesisContext, SynthesisPart, TtsEngine, Voice } from '../engine.js';
import {
  defineEngine,
  findVoice,
  httpClient,
  httpOptions,
  type EngineDefinition,
} from '../engine-definition.js';
import type { HttpClient } from '../http-client.js';
import type { HttpReply } from '../http-reply.js';
import { audioQueryPhonemes, audioQuerySchema, type AudioQuery } from '../phonemes.js';
import { wavParts } from '../wav-length.js';

const speakersSchema = z.array(
  z.looseObject({ name: z.string(), styles: z.array(z.looseObject({ name: z.string(), id: z.number() })) }),
);

/** Status codes of older builds for an unknown path. */
const NO_SUCH_PATH = [404, 405];

function optionsSchema(port: number) {
  return z.strictObject({
    ...httpOptions(`http://127.0.0.1:${port}`),
    stream: z.boolean().default(true).describe('Use streaming_synthesis where the build has it.'),
    cancellable: z.boolean().default(false).describe('Use cancellable_synthesis where the build has it.'),
    segmentLength: z.number().positive().optional().describe('Seconds of sound per piece when it streams.'),
    upspeak: z.boolean().default(true).describe('Let questions rise at their end.'),
    intonationScale: z.number().min(0).max(2).optional().describe('How lively, 0 to 2.'),
    prePhonemeLength: z.number().min(0).max(1.5).optional().describe('Silence before, in seconds.'),
    postPhonemeLength: z.number().min(0).max(1.5).optional().describe('Silence after, in seconds.'),
    pauseLengthScale: z.number().min(0).max(2).optional().describe('Length of pauses as a factor.'),
    tempoDynamicsScale: z.number().min(0).max(2).optional().describe('AivisSpeech: how uneven the tempo is.'),
  });
}

type Options = z.output<ReturnType<typeof optionsSchema>>;

/**
 * Makes an engine for VOICEVOX's API: VOICEVOX itself and its relatives, on their own ports.
 * @param name name in options and messages
 * @param port default port
 * @param timed true when its mora lengths match its sound
 */
export function voicevoxFamily(name: string, port: number, summary: string, timed = true): EngineDefinition {
  return defineEngine({
    name,
    summary,
    options: optionsSchema(port),
    create: (options, host) => new VoicevoxEngine(name, options, httpClient(name, options, host), timed),
  });
}

/** VOICEVOX. */
export const voicevox = voicevoxFamily('voicevox', 50021, 'VOICEVOX, Japanese, on this machine');
/** AivisSpeech. */
export const aivisspeech = voicevoxFamily(
  'aivisspeech',
  10101,
  'AivisSpeech, Japanese, on this machine',
  false,
);

class VoicevoxEngine implements TtsEngine {
  readonly name: string;
  readonly capabilities;
  readonly #options: Options;
  readonly #client: HttpClient;
  readonly #timed: boolean;
  /** Paths that this build does not have. */
  readonly #missing = new Set<string>();
  #voices: Voice[] | undefined;

  constructor(name: string, options: Options, client: HttpClient, timed: boolean) {
    this.name = name;
    this.#options = options;
    this.#client = client;
    this.#timed = timed;
    this.capabilities = {
      streams: options.stream,
      parallel: options.parallel ?? 1,
      timing: timed ? ('phonemes' as const) : ('none' as const),
      volume: true,
    };
  }

  async *synthesise(
    text: string,
    speech: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    const speaker = await this.#speaker(speech.voice, signal);
    const answer = await this.#client.request('/audio_query', { query: { speaker, text } }, signal);
    const query = this.#adjust(await answer.json(audioQuerySchema), speech);
    const phonemes = this.#timed ? audioQueryPhonemes(query, { upspeak: this.#options.upspeak }) : [];
    if (phonemes.length > 0) yield { kind: 'phonemes', phonemes };
    const reply = await this.#synthesis(speaker, query, signal);
    yield* wavParts(reply.audio(), this.#client);
  }

  voices(signal: AbortSignal): Promise<Voice[]> {
    return this.#fetchVoices(signal);
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }

  async #speaker(voice: string | undefined, signal: AbortSignal): Promise<string> {
    if (voice !== undefined && /^-?\d+$/.test(voice)) return voice;
    this.#voices ??= await this.#fetchVoices(signal);
    try {
      return findVoice(this.name, this.#voices, voice).id;
    } catch (error) {
      // Listed again next time, because a voice may have been added.
      this.#voices = undefined;
      throw error;
    }
  }

  async #fetchVoices(signal: AbortSignal): Promise<Voice[]> {
    const reply = await this.#client.request('/speakers', { method: 'GET' }, signal);
    const speakers = await reply.json(speakersSchema);
    return speakers.flatMap((speaker) =>
      speaker.styles.map((style) => ({
        id: String(style.id),
        name: `${speaker.name}/${style.name}`,
        language: 'ja',
      })),
    );
  }

  #adjust(query: AudioQuery, { rate = 1, pitchSemitones = 0, volume = 1 }: VoiceOptions): AudioQuery {
    const { intonationScale, prePhonemeLength, postPhonemeLength, pauseLengthScale, tempoDynamicsScale } =
      this.#options;
    const set = {
      intonationScale,
      prePhonemeLength,
      postPhonemeLength,
      pauseLengthScale,
      tempoDynamicsScale,
    };
    return {
      ...query,
      ...defined(set),
      speedScale: query.speedScale * rate,
      // The engine multiplies the pitch by 2 to the power of this value.
      pitchScale: query.pitchScale + pitchSemitones / 12,
      volumeScale: query.volumeScale * volume,
      outputSamplingRate: 16_000,
      outputStereo: false,
    };
  }

  /** Synthesises by the best endpoint of this build; a missing one is not tried again. */
  async #synthesis(speaker: string, query: AudioQuery, signal: AbortSignal): Promise<HttpReply> {
    const common = { speaker, enable_interrogative_upspeak: this.#options.upspeak };
    const ways: [string, Record<string, string | number | boolean | undefined>][] = [];
    if (this.#options.stream) {
      ways.push(['/streaming_synthesis', { ...common, segment_length: this.#options.segmentLength }]);
    }
    if (this.#options.cancellable) ways.push(['/cancellable_synthesis', common]);
    for (const [path, parameters] of ways) {
      if (this.#missing.has(path)) continue;
      const request = { query: parameters, body: query, accept: NO_SUCH_PATH };
      const reply = await this.#client.request(path, request, signal);
      // Early builds of streaming_synthesis sent a multipart message.
      if (reply.status < 300 && !reply.contentType.startsWith('multipart/')) return reply;
      await reply.cancel();
      this.#missing.add(path);
    }
    return this.#client.request('/synthesis', { query: common, body: query }, signal);
  }
}

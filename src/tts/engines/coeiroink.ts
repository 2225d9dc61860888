import { z } from 'zod';
import type { VoiceOptions, SynthesisContext, SynthesisPart, TtsEngine, Voice } from '../engine.js';
import { defineEngine, findVoice, httpClient, httpOptions } from '../engine-definition.js';
import type { HttpClient } from '../http-client.js';
import { moraDurationPhonemes, wavWithDurationSchema } from '../phonemes.js';
import { wavParts } from '../wav-length.js';

const speakersSchema = z.array(
  z.looseObject({
    speakerName: z.string(),
    speakerUuid: z.string(),
    styles: z.array(z.looseObject({ styleName: z.string(), styleId: z.number() })),
  }),
);
const prosodySchema = z.looseObject({ detail: z.array(z.unknown()) });

const optionsSchema = z.strictObject({
  ...httpOptions('http://127.0.0.1:50032'),
  timing: z
    .boolean()
    .default(true)
    .describe('Ask for mora durations where rate and voice are all that is set.'),
  intonationScale: z.number().min(0).max(2).default(1).describe('How lively, 0 to 2.'),
  prePhonemeLength: z.number().min(0).max(1.5).default(0.1).describe('Silence before, in seconds.'),
  postPhonemeLength: z.number().min(0).max(1.5).default(0.1).describe('Silence after, in seconds.'),
});

interface CoeiroinkVoice extends Voice {
  readonly speakerUuid: string;
  readonly styleId: number;
}

/** COEIROINK v2. */
export const coeiroink = defineEngine({
  name: 'coeiroink',
  summary: 'COEIROINK v2, Japanese, on this machine',
  options: optionsSchema,
  create: (options, host) => new CoeiroinkEngine(options, httpClient('coeiroink', options, host)),
});

class CoeiroinkEngine implements TtsEngine {
  readonly name = 'coeiroink';
  readonly capabilities;
  readonly #options: z.output<typeof optionsSchema>;
  readonly #client: HttpClient;
  #voices: CoeiroinkVoice[] | undefined;

  constructor(options: z.output<typeof optionsSchema>, client: HttpClient) {
    this.#options = options;
    const parallel = options.parallel ?? 1;
    this.capabilities = { streams: false, parallel, timing: 'phonemes', volume: true } as const;
    this.#client = client;
  }

  async *synthesise(
    text: string,
    speech: VoiceOptions,
    { signal }: SynthesisContext,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    this.#voices ??= await this.voices(signal);
    const { speakerUuid, styleId } = findVoice(this.name, this.#voices, speech.voice);
    const { rate = 1, pitchSemitones = 0, volume = 1 } = speech;
    const prosody = await this.#client.request('/v1/estimate_prosody', { body: { text } }, signal);
    const { detail } = await prosody.json(prosodySchema);
    const making = { speakerUuid, styleId, text, prosodyDetail: detail, speedScale: rate };
    // The API call that returns durations takes no pitch, intonation or volume.
    const plain = pitchSemitones === 0 && volume === 1 && this.#options.intonationScale === 1;
    if (this.#options.timing && plain) {
      yield* this.#withDurations(making, signal);
      return;
    }
    const { intonationScale, prePhonemeLength, postPhonemeLength } = this.#options;
    const body = {
      ...making,
      volumeScale: volume,
      pitchScale: pitchSemitones / 12,
      intonationScale,
      prePhonemeLength,
      postPhonemeLength,
      outputSamplingRate: 16_000,
    };
    const reply = await this.#client.request('/v1/synthesis', { body }, signal);
    yield* wavParts(reply.audio(), this.#client);
  }

  async voices(signal: AbortSignal): Promise<CoeiroinkVoice[]> {
    const reply = await this.#client.request('/v1/speakers', { method: 'GET' }, signal);
    const speakers = await reply.json(speakersSchema);
    return speakers.flatMap(({ speakerName, speakerUuid, styles }) =>
      styles.map(({ styleName, styleId }) => ({
        id: `${speakerUuid}:${styleId}`,
        name: `${speakerName}/${styleName}`,
        language: 'ja',
        speakerUuid,
        styleId,
      })),
    );
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }

  async *#withDurations(body: object, signal: AbortSignal): AsyncGenerator<SynthesisPart, void, undefined> {
    const reply = await this.#client.request('/v1/predict_with_duration', { body }, signal);
    const { wavBase64, moraDurations } = await reply.json(wavWithDurationSchema);
    const bytes = Buffer.from(wavBase64, 'base64');
    // The ranges count samples at the model's own rate, which the WAV header states (bytes 24 to 27 of a
    // plain one).
    const plainHead = bytes.length >= 44 && bytes.toString('latin1', 12, 16) === 'fmt ';
    const phonemes = plainHead ? moraDurationPhonemes(moraDurations, bytes.readUInt32LE(24)) : [];
    if (phonemes.length > 0) yield { kind: 'phonemes', phonemes };
    yield { kind: 'audio', bytes };
  }
}

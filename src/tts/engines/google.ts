import { z } from 'zod';
import type { SynthesisPart, TtsEngine, Voice } from '../engine.js';
import { defineEngine, httpClient, httpOptions, keyOptions, requiredKey } from '../engine-definition.js';
import { wavParts } from '../wav-length.js';

const optionsSchema = z.strictObject({
  ...httpOptions('https://texttospeech.googleapis.com'),
  ...keyOptions('GOOGLE_API_KEY'),
});

const audioSchema = z.looseObject({ audioContent: z.string().min(1) });
const voicesSchema = z.looseObject({
  voices: z
    .array(z.looseObject({ name: z.string(), languageCodes: z.array(z.string()).optional() }))
    .default([]),
});

/** Google Cloud Text-to-Speech. */
export const google = defineEngine({
  name: 'google',
  summary: 'Google Cloud Text-to-Speech, many languages, in the cloud',
  options: optionsSchema,
  create(options, host): TtsEngine {
    const key = requiredKey('google', host, options.keyEnv);
    const client = httpClient('google', options, host, { secrets: [key] });
    return {
      name: 'google',
      capabilities: {
        streams: false,
        parallel: options.parallel ?? 3,
        timing: 'none',
        volume: true,
        maxBytes: 5000,
      },
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        const { voice, rate, pitchSemitones, volume } = speech;
        const languageCode = speech.language ?? voice?.match(/^[a-z]{2,3}-[A-Z]{2}/)?.[0] ?? 'en-US';
        const body = {
          input: { text },
          voice: { languageCode, name: voice },
          audioConfig: {
            audioEncoding: 'LINEAR16',
            sampleRateHertz: 16_000,
            speakingRate: rate,
            pitch: pitchSemitones,
            volumeGainDb: volume === undefined ? undefined : gainDb(volume),
          },
        };
        const reply = await client.request('/v1/text:synthesize', { query: { key }, body }, signal);
        const { audioContent } = await reply.json(audioSchema);
        yield* wavParts(once(Buffer.from(audioContent, 'base64')), client);
      },
      async voices(signal): Promise<Voice[]> {
        const reply = await client.request('/v1/voices', { method: 'GET', query: { key } }, signal);
        const { voices } = await reply.json(voicesSchema);
        return voices.map(({ name, languageCodes }) => ({
          id: name,
          name,
          language: languageCodes?.[0],
        }));
      },
      close: async () => undefined,
    };
  },
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Converts a volume to the range of the service, -96 to 16 dB. */
function gainDb(volume: number): number {
  return Math.max(-96, Math.min(16, 20 * Math.log10(volume)));
}

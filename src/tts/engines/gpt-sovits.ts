import { z } from 'zod';
import type { SynthesisPart, TtsEngine } from '../engine.js';
import { defineEngine, httpClient, httpOptions } from '../engine-definition.js';
import { wavParts } from '../wav-length.js';

const NAME = 'gpt-sovits';

const optionsSchema = z.strictObject({
  ...httpOptions('http://127.0.0.1:9880'),
  refAudioPath: z.string().min(1).optional().describe('The sample of the voice, a path on the server.'),
  promptText: z.string().optional().describe('What is said in the sample.'),
  promptLanguage: z.string().default('ja').describe('The language of the sample.'),
  streaming: z.boolean().default(true).describe('Ask for sound while it is made.'),
});

/** GPT-SoVITS's API (`api_v2.py`). A voice is the path of a sample on the server. */
export const gptSovits = defineEngine({
  name: NAME,
  summary: 'GPT-SoVITS, cloned voices, on this machine',
  options: optionsSchema,
  create(options, host): TtsEngine {
    const client = httpClient(NAME, options, host);
    return {
      name: NAME,
      capabilities: {
        streams: options.streaming,
        parallel: options.parallel ?? 1,
        timing: 'none',
        volume: false,
        lacks: ['pitchSemitones'],
      },
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        const query = {
          text,
          text_lang: (speech.language ?? options.promptLanguage).slice(0, 2).toLowerCase(),
          ref_audio_path: speech.voice ?? options.refAudioPath,
          prompt_lang: options.promptLanguage,
          prompt_text: options.promptText,
          media_type: 'wav',
          streaming_mode: options.streaming,
          speed_factor: speech.rate,
        };
        const reply = await client.request('/tts', { method: 'GET', query }, signal);
        yield* wavParts(reply.audio(), client);
      },
      voices: async () => [],
      close: async () => undefined,
    };
  },
});

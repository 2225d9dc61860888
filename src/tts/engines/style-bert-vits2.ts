import { z } from 'zod';
import type { SynthesisPart, TtsEngine, Voice } from '../engine.js';
import { defineEngine, httpClient, httpOptions } from '../engine-definition.js';
import { wavParts } from '../wav-length.js';

const NAME = 'style-bert-vits2';
/** Maximum text of a request, set by the server. */
const MAX_CHARS = 100;

const modelsSchema = z.record(
  z.string(),
  z.looseObject({ config_path: z.string().optional(), spk2id: z.record(z.string(), z.number()).optional() }),
);

const optionsSchema = z.strictObject({
  ...httpOptions('http://127.0.0.1:5000'),
  speakerId: z.number().int().min(0).default(0).describe('The speaker within the model.'),
  style: z.string().optional().describe('The style, such as Neutral or Happy.'),
  styleWeight: z.number().min(0).max(20).optional().describe('How strong the style is.'),
  autoSplit: z.boolean().default(true).describe('Let the server split at line breaks.'),
});

/** Language names of the server by the first part of a language tag. */
const LANGUAGES: Readonly<Record<string, string>> = { ja: 'JP', en: 'EN', zh: 'ZH' };

/** Style-Bert-VITS2's own server. A voice is the number of a model, or `model:speaker`. */
export const styleBertVits2 = defineEngine({
  name: NAME,
  summary: 'Style-Bert-VITS2, Japanese and more, on this machine',
  options: optionsSchema,
  create(options, host): TtsEngine {
    const client = httpClient(NAME, options, host);
    return {
      name: NAME,
      capabilities: {
        streams: false,
        parallel: options.parallel ?? 1,
        timing: 'none',
        volume: false,
        lacks: ['pitchSemitones'],
        maxChars: MAX_CHARS,
      },
      async *synthesise(text, speech, { signal }): AsyncGenerator<SynthesisPart, void, undefined> {
        const [model = '0', speaker = String(options.speakerId)] = (speech.voice ?? '0').split(':');
        const query = {
          text,
          ...(/^\d+$/.test(model) ? { model_id: model } : { model_name: model }),
          ...(/^\d+$/.test(speaker) ? { speaker_id: speaker } : { speaker_name: speaker }),
          style: options.style,
          style_weight: options.styleWeight,
          length: 1 / (speech.rate ?? 1),
          language: LANGUAGES[(speech.language ?? 'ja').slice(0, 2).toLowerCase()] ?? 'JP',
          auto_split: options.autoSplit,
        };
        const reply = await client.request('/voice', { query }, signal);
        yield* wavParts(reply.audio(), client);
      },
      async voices(signal): Promise<Voice[]> {
        const reply = await client.request('/models/info', { method: 'GET' }, signal);
        const models = Object.entries(await reply.json(modelsSchema));
        return models.flatMap(([id, { config_path: path = '', spk2id = {} }]) => {
          const model = path.split(/[\\/]/).at(-2) ?? `model ${id}`;
          const speakers = Object.entries(spk2id);
          if (speakers.length === 0) return [{ id, name: model }];
          return speakers.map(([name, speaker]) => ({ id: `${id}:${speaker}`, name: `${model}/${name}` }));
        });
      },
      close: async () => undefined,
    };
  },
});

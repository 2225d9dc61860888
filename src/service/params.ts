import { z } from 'zod';
import { MAX_BURST_MS } from '../audio/input.js';
import { OPTIONS } from '../config.js';
import { TagTableSchema } from '../narration/tag-file.js';

/*
 * Schemas of requests. Ranges that the options table states are taken from there.
 */

/** A number in a query. */
export function queryNumber<Schema extends z.ZodType<number | 'auto'>>(
  schema: Schema,
): z.ZodPreprocess<Schema> {
  return z.preprocess((value) => (typeof value === 'string' ? numberOf(value) : value), schema);
}

function numberOf(text: string): number | string {
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** A boolean in a query: `?join`, `?join=true`, `?join=1`, and their opposites. */
export const queryFlag = z.preprocess(
  (value) =>
    value === '' || value === 'true' || value === '1'
      ? true
      : value === 'false' || value === '0'
        ? false
        : value,
  z.boolean(),
);

/** Path of a route about one agent. */
export const AgentParams = z.object({ name: z.string().describe('The name of an agent.') });

/** Path of a route about one agent or several. */
export const TargetParams = z.object({
  name: z
    .string()
    .describe('The name of an agent, several with commas between them, or `all` that are connected.'),
});

/** Path of a route about one speech. */
export const SpeechParams = TargetParams.extend({ id: z.string().describe('The id of a speech.') });

/** Query with a fade. */
export const FadeQuery = z.strictObject({
  fadeMs: queryNumber(z.number().min(0).max(1000)).optional().describe('How long the cut fades, in ms.'),
});

/** A text command at a time of the sound. */
export const CueSchema = z
  .strictObject({
    atMs: z
      .number()
      .min(-86_400_000)
      .max(86_400_000)
      .describe('From the start of the sound, as heard; negative counts back from its end.'),
    send: z.string().describe('The command, `TYPE|arg|…`.'),
    always: z.boolean().optional().describe('Send it even when the speech ends before its moment.'),
  })
  .meta({ id: 'Cue' });

/** Cues of one speech. */
export const CuesSchema = z.array(CueSchema).max(1000);

const MAX_LABEL = 200;

/** Options of a speech and of the answer. */
export const SpeechQuery = z.strictObject({
  wait: z
    .enum(['accepted', 'started', 'finished'])
    .default('accepted')
    .describe(
      '`accepted`: answers when the upload has been taken in; `started`: at the first sound; `finished`: at the end. With `Accept: application/x-ndjson` the answer tells everything from the start to the end.',
    ),
  label: z
    .string()
    .min(1)
    .max(MAX_LABEL)
    .regex(/^\P{Cc}+$/u, 'no control characters')
    .optional()
    .describe('How messages name the sound.'),
  format: z
    .string()
    .optional()
    .describe('The format of data without a head: `encoding:rate:channels`, such as `s16le:24000:1`.'),
  model: OPTIONS.model.schema.unwrap().optional().describe('Alias of the model whose lips move.'),
  mode: z.enum(['file', 'stream']).optional().describe('How the avatar moves its lips; `file` by default.'),
  when: z
    .enum(['queue', 'interrupt', 'if-idle'])
    .optional()
    .describe('After those that wait (default), now in their stead, or only when nothing is spoken.'),
  priority: queryNumber(z.number().int().min(-1000).max(1000))
    .optional()
    .describe('Among those that wait the higher goes first.'),
  leadMs: queryNumber(OPTIONS.leadMs.schema.unwrap())
    .optional()
    .describe('Sound that the avatar holds unplayed, in ms; `auto`: the smallest that its link allows.'),
  gainDb: queryNumber(z.number().min(-60).max(20)).optional().describe('Level in dB; 0 is unchanged.'),
  join: queryFlag.optional().describe('Follow the speech before it without a gap.'),
  live: queryFlag
    .optional()
    .describe(
      'It comes in its own time and must not grow old: what is too late is dropped, the oldest first.',
    ),
  burstMs: queryNumber(z.number().min(0).max(MAX_BURST_MS))
    .optional()
    .describe(
      'Live sound: how much of it may come at once, in ms, such as the pre-roll of a gate; else it counts as too fast.',
    ),
  sent: queryFlag
    .optional()
    .describe(
      'A live answer also tells the samples as they leave: 16 kHz mono, 16-bit little-endian, base64.',
    ),
  onAgentLost: z
    .enum(['fail', 'resume'])
    .optional()
    .describe('What to do when the avatar goes: fail (default), or go on once it is back.'),
  cues: z
    .preprocess((value) => (typeof value === 'string' ? parseJson(value) : value), CuesSchema)
    .optional()
    .describe('Commands at moments of the sound, as a JSON array. Many are better added by their own route.'),
});

/** JSON body with the address of a sound, and the options of the query. */
export const SpeechOfUrl = SpeechQuery.omit({ wait: true })
  .extend({
    url: z.string().min(1).max(8000).describe('An http or https address. No path of the service’s machine.'),
    wait: SpeechQuery.shape.wait.unwrap().optional(),
  })
  .meta({ id: 'SpeechOfUrl' });

const jsonObject = <Schema extends z.ZodType>(schema: Schema): z.ZodPreprocess<Schema> =>
  z.preprocess((value) => (typeof value === 'string' ? parseJson(value) : value), schema);

/** Options of a spoken text and of the answer. */
export const SayQuery = SpeechQuery.omit({ format: true, live: true, burstMs: true }).extend({
  engine: z
    .string()
    .max(50)
    .optional()
    .describe('What turns the text into sound; as the service has it by default.'),
  engineOptions: jsonObject(z.record(z.string(), z.unknown()))
    .optional()
    .describe(
      'The engine’s own options as a JSON object, such as `{"baseUrl":"http://localhost:8880"}`, in the place of those that the service has for it; never a key.',
    ),
  voice: z.string().max(200).optional().describe('As the engine names it.'),
  language: z.string().max(35).optional().describe('A language tag such as `ja` or `en-US`.'),
  rate: queryNumber(OPTIONS.rate.schema.unwrap()).optional().describe('Speed as a factor.'),
  pitchSemitones: queryNumber(OPTIONS.pitchSemitones.schema.unwrap())
    .optional()
    .describe('Up or down, in semitones.'),
  volume: queryNumber(OPTIONS.volume.schema.unwrap())
    .optional()
    .describe('Loudness of the voice as a factor, made by the engine.'),
  fallback: z
    .string()
    .max(50)
    .optional()
    .describe('The engine that speaks what the other cannot; `none` for none.'),
  lips: OPTIONS.lips.schema.unwrap().optional().describe('Who moves the lips.'),
  captions: queryFlag.optional().describe('Show each sentence while it is spoken.'),
  tags: jsonObject(TagTableSchema)
    .optional()
    .describe(
      'What `[word]` in the text does: a JSON object of commands, or of `{"commands":[…],"pauseMs":…}`, by their word; in the place of the service’s table.',
    ),
  unknownTags: z
    .enum(['speak', 'drop'])
    .optional()
    .describe('What becomes of a tag that is not in the table.'),
  skip: OPTIONS.skip.schema
    .unwrap()
    .optional()
    .describe(`Parts of the text that are not spoken: ${OPTIONS.skip.range}, with commas between them.`),
  dictionary: jsonObject(z.record(z.string().min(1).max(200), z.string().max(1000)))
    .optional()
    .describe('Replacements before synthesis: a JSON object of what is said by what is written.'),
});

/** JSON body with a whole text, and the options of the query. */
export const SayOfText = SayQuery.omit({ wait: true })
  .extend({
    text: z.string().describe('What to say.'),
    wait: SayQuery.shape.wait.unwrap().optional(),
  })
  .meta({ id: 'SayOfText' });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

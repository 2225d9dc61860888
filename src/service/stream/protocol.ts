import { z } from 'zod';
import { SpeechEventSchema } from '../events.js';
import { CueSchema, CuesSchema, SayQuery, SpeechQuery } from '../params.js';
import { ProblemSchema } from '../problem.js';
import { AgentSchema, CommandResultSchema, InterruptionSchema } from '../schemas.js';

/*
 * Protocol of `/api/agents/NAME/stream`. Text messages are JSON objects of these schemas; binary messages are sound, cut
 * anywhere. The validation of incoming messages, the types and the reference are made from this file.
 */

const ref = z
  .string()
  .max(64)
  .optional()
  .describe('Any word of the client’s own; it comes back in what answers this message.');

const fadeMs = z.number().min(0).max(1000).optional().describe('How long the cut fades, in ms.');

const message = <Type extends string, Shape extends z.ZodRawShape>(
  type: Type,
  shape: Shape,
): z.ZodObject<{ type: z.ZodLiteral<Type>; ref: typeof ref } & Shape, z.core.$strict> =>
  z.strictObject({ type: z.literal(type), ref, ...shape });

/** Begins a speech: the binary messages after it are its sound, up to `end` or the next `start`. */
export const StartSchema = message('start', {
  ...SpeechQuery.omit({ wait: true, format: true, cues: true }).shape,
  format: z
    .string()
    .optional()
    .describe(
      'The format of data without a head: `encoding:rate:channels`, such as `s16le:24000:1`. Without it the format is recognised (WAV, MP3, Ogg, WebM, …).',
    ),
  live: z
    .boolean()
    .optional()
    .describe('The sound comes in its own time (a microphone): what comes too fast is dropped and counted.'),
  cues: CuesSchema.optional().describe('Commands at moments of the sound.'),
}).describe('Begins a speech. The binary messages after it are its sound, up to `end` or the next `start`.');

/** Begins a speech of text: the `text` messages after it are its text, up to `end` or the next `start` or `say`. */
export const SaySchema = message('say', {
  ...SayQuery.omit({ wait: true, sent: true, cues: true }).shape,
  text: z.string().optional().describe('The first piece, or all of it.'),
  cues: CuesSchema.optional().describe('Commands at moments of the sound.'),
}).describe(
  'Begins a speech of text. The `text` messages after it are its words, as a language model gives them, up to `end` or the next `start` or `say`; the first sentence sounds while the next ones are to come.',
);

/** Messages of a client. */
export const StreamClientMessageSchema = z
  .discriminatedUnion('type', [
    StartSchema,
    SaySchema,
    message('text', {
      text: z.string().describe('The next piece of the text, cut anywhere.'),
    }).describe('The text goes on.'),
    message('end', {}).describe('The sound or the text is complete. The speech goes on to its last sample.'),
    message('mark', {
      name: z.string().min(1).max(200),
    }).describe('Comes back as `mark` when the sound or the text sent so far has been heard.'),
    message('cue', {
      ...CueSchema.shape,
      id: z.string().optional().describe('Of which speech; the one begun last by default.'),
    }).describe('Sends a command at a moment of the sound.'),
    message('commands', {
      commands: z.array(z.string()).min(1).max(100),
    }).describe('Sends commands now, in order; answered by `commands`.'),
    message('interrupt', { fadeMs }).describe(
      'Ends what the avatar speaks and drops what waits, whoever began it; answered by `interrupted` when it is silent.',
    ),
    message('stop', {
      id: z.string().optional().describe('Which speech; by default every one begun on this socket.'),
      fadeMs,
    }).describe('Ends speeches; each tells its `ended`.'),
    message('pause', {}).describe('Holds the avatar’s speech where it is.'),
    message('resume', {}).describe('Goes on after `pause`.'),
    message('gain', {
      gainDb: z.number().min(-60).max(20),
    }).describe('Makes everything the avatar says louder or quieter from now on.'),
  ])
  .meta({ id: 'StreamClientMessage' });

const reply = <Type extends string, Shape extends z.ZodRawShape>(
  type: Type,
  shape: Shape,
): z.ZodObject<{ type: z.ZodLiteral<Type>; ref: typeof ref } & Shape> =>
  z.object({ type: z.literal(type), ref, ...shape });

/** Messages of a stream only, beside the events of its speeches. */
export const StreamOwnMessageSchema = z
  .discriminatedUnion('type', [
    reply('hello', {
      agent: AgentSchema,
      maxMessageBytes: z.int().describe('The longest message that is taken.'),
    }).describe('The first message.'),
    reply('pause', {}).describe(
      'Enough has come for now: send no more sound until `resume`. Whoever goes on is not read any more, so that TCP holds it back, and its words wait behind its sound.',
    ),
    reply('resume', {}).describe('Send on.'),
    reply('mark', {
      speech: z.string(),
      name: z.string(),
      heard: z.boolean().describe('False when the speech ended before it.'),
      positionMs: z.number(),
    }).describe('The sound up to a mark of the client’s has been heard.'),
    reply('interrupted', { ...InterruptionSchema.shape }),
    reply('commands', { results: z.array(CommandResultSchema) }),
    reply('error', {
      error: ProblemSchema,
      speech: z.string().nullable().describe('The speech it is about.'),
    }).describe('A message was refused, with the reason; the socket goes on.'),
  ])
  .meta({ id: 'StreamOwnMessage' });

/** Messages of the service. */
export const StreamServerMessageSchema = z
  .union([SpeechEventSchema, StreamOwnMessageSchema])
  .meta({ id: 'StreamServerMessage' });

/** Message of a client. */
export type StreamClientMessage = z.output<typeof StreamClientMessageSchema>;
/** Message that begins a speech. */
export type StreamStart = z.output<typeof StartSchema>;
/** Message that begins a speech of text. */
export type StreamSay = z.output<typeof SaySchema>;
/** Message of the service. */
export type StreamServerMessage = z.output<typeof StreamServerMessageSchema>;

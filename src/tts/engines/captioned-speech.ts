import { z } from 'zod';
import type { SynthesisPart } from '../engine.js';
import type { HttpClient } from '../http-client.js';
import type { HttpReply } from '../http-reply.js';
import { jsonLines } from './json-lines.js';

const lineSchema = z.looseObject({
  audio: z.string().nullish(),
  timestamps: z
    .array(z.looseObject({ word: z.string(), start_time: z.number(), end_time: z.number() }))
    .nullish(),
});

/**
 * Reads Kokoro-FastAPI's `/dev/captioned_speech`: JSON objects, one a line, with a piece of sound in base64 and the times of
 * its words in seconds from the utterance's start.
 * @throws BridgeError ENGINE_FAILED when a line is something else
 */
export async function* readCaptionedSpeech(
  reply: HttpReply,
  client: HttpClient,
): AsyncGenerator<SynthesisPart, void, undefined> {
  for await (const value of jsonLines(reply.bytes(), client)) {
    const parsed = lineSchema.safeParse(value);
    if (!parsed.success)
      throw client.error(
        'ENGINE_FAILED',
        `sent a line of another shape: ${JSON.stringify(value).slice(0, 200)}.`,
      );
    const { audio, timestamps } = parsed.data;
    if (timestamps && timestamps.length > 0) {
      const spans = timestamps.map(({ word, start_time, end_time }) => ({
        text: word,
        startMs: start_time * 1000,
        endMs: end_time * 1000,
      }));
      yield { kind: 'spans', spans };
    }
    if (audio) yield { kind: 'audio', bytes: Buffer.from(audio, 'base64') };
  }
}

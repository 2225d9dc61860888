import { z } from 'zod';
import type { SynthesisPart } from '../engine.js';
import type { HttpClient } from '../http-client.js';
import type { HttpReply } from '../http-reply.js';

const MAX_LINE_CHARS = 16 * 1024 * 1024;

const lineSchema = z.looseObject({
  audio: z.string().nullish(),
  timestamps: z
    .array(z.looseObject({ word: z.string(), start_time: z.number(), end_time: z.number() }))
    .nullish(),
});

/**
 * Reads Kokoro-FastAPI's `/dev/captioned_speech`: one JSON object per line, with a piece of sound in base64
 * and the times of its words in seconds from the utterance's start.
 * @throws BridgeError ENGINE_FAILED for an invalid line
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

/**
 * Reads JSON values, one per line, from bytes in any chunking; a body with a single value counts as one line.
 * @throws BridgeError ENGINE_FAILED for a line that is not JSON or is too long
 */
async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
  client: HttpClient,
): AsyncGenerator<unknown, void, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  const parse = (line: string): unknown => {
    try {
      return JSON.parse(line);
    } catch {
      throw client.error('ENGINE_FAILED', `sent a line that is no JSON: ${line.slice(0, 200)}.`);
    }
  };
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop()!;
    if (text.length > MAX_LINE_CHARS)
      throw client.error('ENGINE_FAILED', `sent a line of more than ${MAX_LINE_CHARS} characters.`);
    for (const line of lines) if (line.trim()) yield parse(line);
  }
  text += decoder.decode();
  if (text.trim()) yield parse(text);
}

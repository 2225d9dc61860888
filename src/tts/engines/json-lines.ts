import type { HttpClient } from '../http-client.js';

const MAX_LINE_CHARS = 16 * 1024 * 1024;

/**
 * Reads JSON values, one a line, from bytes in any chunking; a whole body of one value is one line.
 * @throws BridgeError ENGINE_FAILED for a line that is no JSON or is too long
 */
export async function* jsonLines(
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

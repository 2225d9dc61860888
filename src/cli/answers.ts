import type { IncomingMessage } from 'node:http';

/** Splits a text answer at a separator. An incomplete last part is left out. */
async function* parts(response: IncomingMessage, separator: string): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const whole = (rest + (chunk as string)).split(separator);
    rest = whole.pop() ?? '';
    yield* whole;
  }
}

/** Parses an answer with one JSON object a line. */
export async function* jsonLines(response: IncomingMessage): AsyncGenerator<unknown, void, undefined> {
  for await (const line of parts(response, '\n')) if (line !== '') yield JSON.parse(line) as unknown;
}

/** One server-sent event, with its id if any. */
export interface SentEvent {
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Parses the service's server-sent events, each with one line of JSON; comments are skipped. */
export async function* serverSentEvents(
  response: IncomingMessage,
): AsyncGenerator<SentEvent, void, undefined> {
  for await (const block of parts(response, '\n\n')) {
    const fields = block.split('\n');
    const field = (name: string): string | undefined =>
      fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const data = field('data');
    if (data !== undefined) yield { id: field('id'), data: JSON.parse(data) as unknown };
  }
}

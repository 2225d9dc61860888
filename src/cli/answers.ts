import type { IncomingMessage } from 'node:http';

/** Parts of a text answer between a separator, as they come. A part that the answer breaks off in is left out. */
async function* parts(response: IncomingMessage, separator: string): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const whole = (rest + (chunk as string)).split(separator);
    rest = whole.pop() ?? '';
    yield* whole;
  }
}

/** The objects of an answer with one JSON object a line. */
export async function* jsonLines(response: IncomingMessage): AsyncGenerator<unknown, void, undefined> {
  for await (const line of parts(response, '\n')) if (line !== '') yield JSON.parse(line) as unknown;
}

/** The data of server-sent events, each of one line of JSON, as the service sends them; comments are passed over. */
export async function* serverSentEvents(response: IncomingMessage): AsyncGenerator<unknown, void, undefined> {
  for await (const block of parts(response, '\n\n')) {
    const data = block.split('\n').find((line) => line.startsWith('data: '));
    if (data !== undefined) yield JSON.parse(data.slice('data: '.length)) as unknown;
  }
}

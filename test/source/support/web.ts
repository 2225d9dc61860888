import type { RequestListener } from 'node:http';
import { onTestFinished } from 'vitest';
import { urlSound, type UrlOptions } from '../../../src/source/url.js';
import { startHttp, type TestServer } from '../../support/http-server.js';
import { concat, noise } from '../../support/signals.js';
import { notingContext } from '../../support/sound-context.js';
import { wavOf } from '../../support/wav.js';

/** Half a second of noise, and a file of it. */
export const SAMPLES = noise(8000, 20_000);
export const WAV = wavOf(SAMPLES);

/** A web server until the test ends. */
export async function serve(answer: RequestListener, host?: string, port?: number): Promise<TestServer> {
  const server = await startHttp(answer, host, port);
  onTestFinished(() => server.close());
  return server;
}

/** All samples of an address. */
export async function hear(
  url: string,
  options: UrlOptions = {},
  context = notingContext(),
): Promise<Int16Array> {
  const heard: Int16Array[] = [];
  for await (const block of urlSound(url, options).open(context))
    heard.push((block.samples as Int16Array).slice());
  return concat(heard);
}

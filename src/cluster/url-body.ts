import { once } from 'node:events';
import { toBridgeError } from '../base/errors.js';
import { checked } from '../service/checked.js';
import { SpeechOfUrl } from '../service/params.js';
import { parseHttpUrl, urlLabel } from '../source/http-get.js';
import { soundBytes } from '../source/url.js';
import type { NodeLink } from './link.js';

/** Sound at an address, as an upload that other nodes get instead of the address. */
export interface SoundOfUrl {
  /** Options of the body as a query, with its `?`. */
  readonly query: string;
  /** Media type of the upload. */
  readonly type: string;
  /** Sends the sound. Never rejects: a failure ends the links with its reason. */
  send(to: NodeJS.WritableStream, links: readonly NodeLink[]): Promise<void>;
}

/**
 * Fetches the sound at the address in a JSON body. Private addresses are fetched only for callers on the node's own
 * machine, so the node that the caller asked does it.
 * @param query of the request, with its `?` if any
 * @returns undefined when the body contains no address
 * @throws BridgeError REQUEST_INVALID, SOURCE_URL_INVALID, and as `soundBytes`
 */
export async function soundOfUrl(
  body: Buffer,
  query: string,
  signal: AbortSignal,
): Promise<SoundOfUrl | undefined> {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    // The speaking node reports the invalid body.
    return undefined;
  }
  if (typeof json !== 'object' || json === null || !('url' in json)) return undefined;
  checked(SpeechOfUrl, json, 'The body of the request');
  const { url: text, ...options } = json as { url: string } & Record<string, unknown>;
  const url = parseHttpUrl(text);
  const label = urlLabel(url);
  const chunks = soundBytes(url, label, { allowPrivate: true }, signal);
  // A missing sound is reported before another node is asked for anything.
  let next = await chunks.next();
  const fields = new URLSearchParams(query);
  if (!fields.has('label')) fields.set('label', label.slice(0, 200));
  for (const [key, value] of Object.entries(options)) {
    fields.set(key, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return {
    query: `?${fields.toString()}`,
    type: 'application/octet-stream',
    async send(to, links) {
      try {
        for (; next.done !== true; next = await chunks.next()) {
          if (!to.write(next.value)) await once(to, 'drain', { signal });
        }
        to.end();
      } catch (error) {
        const reason = toBridgeError(error, 'SOURCE_FAILED', `${label} broke off`);
        for (const link of links) link.destroy(reason);
      } finally {
        await chunks.return();
      }
    },
  };
}

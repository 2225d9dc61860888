import { once } from 'node:events';
import { toBridgeError } from '../base/errors.js';
import { checked } from '../service/checked.js';
import { SpeechOfUrl } from '../service/params.js';
import { parseHttpUrl, urlLabel } from '../source/http-get.js';
import { soundBytes } from '../source/url.js';
import type { NodeLink } from './link.js';

/** A sound at an address, as the upload that other nodes are sent in its place. */
export interface SoundOfUrl {
  /** The options of the body as a query, with its `?`. */
  readonly query: string;
  /** Media type of what is sent. */
  readonly type: string;
  /** Sends the sound. Never rejects: what goes wrong ends the links with its reason. */
  send(to: NodeJS.WritableStream, links: readonly NodeLink[]): Promise<void>;
}

/**
 * Fetches the sound that a JSON body names by its address. A node fetches private addresses for callers of its own
 * machine alone, so the node that the caller asked does it.
 * @param query of the request, with its `?` where there is one
 * @returns nothing when the body names no address
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
    // The node that speaks tells what is wrong with it.
    return undefined;
  }
  if (typeof json !== 'object' || json === null || !('url' in json)) return undefined;
  checked(SpeechOfUrl, json, 'The body of the request');
  const { url: text, ...options } = json as { url: string } & Record<string, unknown>;
  const url = parseHttpUrl(text);
  const label = urlLabel(url);
  const chunks = soundBytes(url, label, { allowPrivate: true }, signal);
  // Whether there is a sound at all is known before anything is asked of another node.
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

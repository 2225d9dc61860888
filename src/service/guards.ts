import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';
import { BridgeError } from '../base/errors.js';

/** A host name or address with an optional port, and nothing that could hide another host in it. */
const HOST_HEADER = /^(\[[0-9a-f:.]+\]|[^\s:@/\\?#[\]]+)(?::\d{1,5})?$/i;

/** True for `localhost` and for every address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (name === 'localhost') return true;
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback';
}

/**
 * Refuses to listen where other machines could reach the API, which asks nobody who they are.
 * @throws BridgeError HOST_EXPOSED
 */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  throw new BridgeError(
    'HOST_EXPOSED',
    `The service does not listen on ${host}: every machine that reaches it could make the avatars speak.`,
  );
}

/**
 * Looks at the Host of a request. A web page whose name was made to point at this machine (DNS rebinding) comes under
 * its own name, and only that gives it away.
 * @param hosts names by which the service may be addressed, besides those of loopback
 * @throws BridgeError HOST_DENIED
 */
export function checkHost(header: string | undefined, hosts: readonly string[]): void {
  const name = HOST_HEADER.exec(header ?? '')?.[1];
  if (name !== undefined && (isLoopback(name) || hosts.includes(name.toLowerCase()))) return;
  throw new BridgeError(
    'HOST_DENIED',
    `The service was addressed as ${JSON.stringify((header ?? '').slice(0, 80))}, which is none of its names.`,
  );
}

/**
 * Looks at where a request comes from. A browser tells the origin of the page; programs send none. Only pages of the
 * service itself may call it.
 * @throws BridgeError ORIGIN_DENIED
 */
export function checkOrigin(headers: IncomingHttpHeaders): void {
  const { origin, host } = headers;
  // Images and links carry no Origin, but browsers say this much of them.
  const site = headers['sec-fetch-site'];
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const own = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  if (own && !foreignSite) return;
  throw new BridgeError(
    'ORIGIN_DENIED',
    `A web page of ${JSON.stringify((origin ?? 'another site').slice(0, 80))} may not call the service.`,
  );
}

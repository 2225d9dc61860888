import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import ipaddr from 'ipaddr.js';
import { BridgeError } from '../base/errors.js';

/** A host name or address with an optional port, without characters that could hide another host. */
const HOST_HEADER = /^(\[[0-9a-f:.]+\]|[^\s:@/\\?#[\]]+)(?::\d{1,5})?$/i;

/** True for `localhost` and for every address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = unbracketed(host);
  if (name === 'localhost') return true;
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback';
}

/** Headers added by proxies. Behind a proxy every caller seems to come from the proxy's machine. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** True when a request comes from the service's own machine by its peer address, and not through a proxy there. */
export function isLocalCaller({ socket, headers }: IncomingMessage): boolean {
  return isLoopback(socket.remoteAddress ?? '') && !FORWARDED.some((name) => headers[name] !== undefined);
}

/**
 * Refuses to listen where other machines could reach an API without a token.
 * @param token required token, if any
 * @throws BridgeError HOST_EXPOSED
 */
export function requireLoopback(host: string, token?: string): void {
  if (token !== undefined || isLoopback(host)) return;
  throw new BridgeError(
    'HOST_EXPOSED',
    `The service does not listen on ${host} without a token: every machine that reaches it could make the avatars speak.`,
  );
}

/** Names under which a service may be addressed. */
export interface HostNames {
  /** Names and addresses other than loopback, in lower case. */
  readonly names: readonly string[];
  /** True when any IP address is accepted: a web page cannot make a browser send one that its user did not mean. */
  readonly anyAddress: boolean;
}

/** Returns the names of a service listening at `host`. @param more further names */
export function hostNames(host: string, more: readonly string[]): HostNames {
  const wide = !isLoopback(host);
  const own = wide ? [hostname(), `${hostname()}.local`] : [];
  return {
    names: [host, ...own, ...more].map((name) => unbracketed(name).replace(/\.$/, '')),
    anyAddress: wide,
  };
}

/**
 * Checks the Host of a request. A web page whose name was pointed at this machine (DNS rebinding) sends its own name,
 * which is the only sign of it.
 * @throws BridgeError HOST_DENIED
 */
export function checkHost(header: string | undefined, { names, anyAddress }: HostNames): void {
  const name = HOST_HEADER.exec(header ?? '')?.[1];
  if (name !== undefined) {
    const plain = unbracketed(name).replace(/\.$/, '');
    if (isLoopback(plain) || names.includes(plain) || (anyAddress && ipaddr.isValid(plain))) return;
  }
  throw new BridgeError(
    'HOST_DENIED',
    `The service was addressed as ${JSON.stringify((header ?? '').slice(0, 80))}, which is none of its names.`,
  );
}

/** Pages that may call the service. */
export interface OriginRules {
  /** Other allowed origins, as browsers write them. */
  readonly allowed?: readonly string[];
  /** True for a request for a page that shows nothing by itself: any site may link to it. */
  readonly page?: boolean;
}

/**
 * Checks the origin of a request. A browser sends the origin of the page; programs send none. Only pages of the service
 * itself and of allowed origins may call it.
 * @throws BridgeError ORIGIN_DENIED
 */
export function checkOrigin(
  headers: IncomingHttpHeaders,
  { allowed = [], page = false }: OriginRules = {},
): void {
  const { origin, host } = headers;
  if (origin !== undefined && allowed.includes(origin)) return;
  // Images and links send no Origin, but browsers send this header with them.
  const site = headers['sec-fetch-site'];
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  const own = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  if (own && !foreignSite) return;
  const followed = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (page && origin === undefined && followed) return;
  throw new BridgeError(
    'ORIGIN_DENIED',
    `A web page of ${JSON.stringify((origin ?? 'another site').slice(0, 80))} may not call the service.`,
  );
}

function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, '').toLowerCase();
}

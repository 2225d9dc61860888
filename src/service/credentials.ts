import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { tokenMatcher } from '../base/token.js';

/** Lifetime of a login, in seconds. */
const COOKIE_SECONDS = 7 * 24 * 3600;
/** Prefix of the subprotocol with a token, since browsers cannot send headers with a WebSocket. */
export const TOKEN_SUBPROTOCOL = 'bearer.';

/**
 * Checks tokens and login cookies. The token is long and random (the options table requires it), so that guesses need no
 * rate limit; a login's cookie is signed with the token and does not contain it.
 */
export class Credentials {
  readonly #matches: (given: string | undefined) => boolean;
  readonly #key: Buffer;
  readonly #cookieName: string;

  /** @param port part of the cookie's name: cookies ignore ports, and two bridges may run on one machine */
  constructor(token: string, port: number) {
    this.#matches = tokenMatcher(token);
    this.#key = createHmac('sha256', token).update('the key of the cookies').digest();
    this.#cookieName = `mmdagent-bridge-${port}`;
  }

  /** True when this is the token. */
  matches(token: string): boolean {
    return this.#matches(token);
  }

  /** True when a request has the token in its header or subprotocols, or a login's cookie. */
  admits({ headers }: Pick<IncomingMessage, 'headers'>, nowMs: number): boolean {
    const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.#matches(bearer);
    const protocols = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const protocol = protocols.find((name) => name.startsWith(TOKEN_SUBPROTOCOL));
    if (protocol !== undefined) return this.#matches(protocol.slice(TOKEN_SUBPROTOCOL.length));
    return this.#cookieHolds(cookieOf(headers.cookie, this.#cookieName), nowMs);
  }

  /** Returns the Set-Cookie header of a login. */
  login(nowMs: number, secure: boolean): string {
    const expires = Math.floor(nowMs / 1000) + COOKIE_SECONDS;
    const claim = `${expires}.${randomBytes(9).toString('base64url')}`;
    return this.#cookie(`${claim}.${this.#sign(claim)}`, COOKIE_SECONDS, secure);
  }

  /** Returns the Set-Cookie header of a logout. */
  logout(secure: boolean): string {
    return this.#cookie('', 0, secure);
  }

  #cookie(value: string, maxAge: number, secure: boolean): string {
    const flags = `Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
    return `${this.#cookieName}=${value}; ${flags}`;
  }

  #cookieHolds(value: string | undefined, nowMs: number): boolean {
    const [, claim, expires, signature] =
      /^((\d{1,12})\.[\w-]{1,32})\.([\w-]{1,64})$/.exec(value ?? '') ?? [];
    if (claim === undefined || Number(expires) * 1000 <= nowMs) return false;
    return tokenMatcher(this.#sign(claim))(signature);
  }

  #sign(claim: string): string {
    return createHmac('sha256', this.#key).update(claim).digest('base64url');
  }
}

function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const [key, value] = part.split('=', 2);
    if (key?.trim() === name) return value?.trim();
  }
  return undefined;
}

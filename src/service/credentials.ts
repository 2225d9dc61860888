import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { tokenMatcher } from '../base/token.js';

/** How long a login lasts. */
const COOKIE_SECONDS = 7 * 24 * 3600;
/** The subprotocol under which browsers, which cannot send headers with a WebSocket, bring a token. */
export const TOKEN_SUBPROTOCOL = 'bearer.';

/**
 * Who knows the token. It is long and random (the options table sees to that), so guessing needs no limit of its own;
 * a login gives a cookie that is signed with it and never holds it.
 */
export class Credentials {
  readonly #matches: (given: string | undefined) => boolean;
  readonly #key: Buffer;
  readonly #cookieName: string;

  /** @param port makes the cookie's name: cookies know no ports, and two bridges may share a machine */
  constructor(token: string, port: number) {
    this.#matches = tokenMatcher(token);
    this.#key = createHmac('sha256', token).update('the key of the cookies').digest();
    this.#cookieName = `mmdagent-bridge-${port}`;
  }

  /** True when this is the token. */
  matches(token: string): boolean {
    return this.#matches(token);
  }

  /** True when a request brings the token, in its header or its subprotocols, or a login's cookie. */
  admits({ headers }: Pick<IncomingMessage, 'headers'>, nowMs: number): boolean {
    const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.#matches(bearer);
    const protocols = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const protocol = protocols.find((name) => name.startsWith(TOKEN_SUBPROTOCOL));
    if (protocol !== undefined) return this.#matches(protocol.slice(TOKEN_SUBPROTOCOL.length));
    return this.#cookieHolds(cookieOf(headers.cookie, this.#cookieName), nowMs);
  }

  /** The Set-Cookie header of a login. */
  login(nowMs: number, secure: boolean): string {
    const expires = Math.floor(nowMs / 1000) + COOKIE_SECONDS;
    const claim = `${expires}.${randomBytes(9).toString('base64url')}`;
    return this.#cookie(`${claim}.${this.#sign(claim)}`, COOKIE_SECONDS, secure);
  }

  /** The Set-Cookie header of a logout. */
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

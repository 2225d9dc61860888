import type { IncomingMessage } from 'node:http';
import { BridgeError } from '../base/errors.js';
import type { Credentials } from './credentials.js';
import { checkHost, checkOrigin, type HostNames } from './guards.js';
import { nodeCallerOf } from './nodes.js';

/** Who may do what on one route. */
export interface GateRules {
  /** Whoever reaches the service may have it: it tells nothing and does nothing. */
  readonly public?: boolean;
  /** It answers while the service ends, too. */
  readonly toTheEnd?: boolean;
  /** It is a page: links from anywhere may lead to it, and who is not logged in is led to the login. */
  readonly page?: boolean;
}

/** Looks at every request and every upgrade before anything else does. */
export class Gate {
  readonly credentials: Credentials | undefined;
  readonly #hosts: HostNames;
  readonly #origins: readonly string[];

  /** @param credentials without them nobody is asked who they are */
  constructor(hosts: HostNames, origins: readonly string[], credentials: Credentials | undefined) {
    this.#hosts = hosts;
    this.#origins = origins;
    this.credentials = credentials;
  }

  /** True for an origin of other pages that may call. */
  allows(origin: string | undefined): origin is string {
    return origin !== undefined && this.#origins.includes(origin);
  }

  /** @throws BridgeError HOST_DENIED, ORIGIN_DENIED or TOKEN_REQUIRED */
  admit(request: IncomingMessage, rules: GateRules = {}): void {
    // The node that asks has looked at who asks there.
    if (nodeCallerOf(request)) return;
    const { headers } = request;
    // Two of them are none: who reads the other one would see another host (RFC 9112 §3.2).
    checkHost(request.headersDistinct['host']?.join(', '), this.#hosts);
    checkOrigin(headers, { allowed: this.#origins, page: rules.page === true });
    if (rules.public === true || !this.credentials) return;
    if (this.credentials.admits(request, Date.now())) return;
    const brought = headers.authorization !== undefined;
    throw new BridgeError(
      'TOKEN_REQUIRED',
      brought
        ? 'The token of the request is wrong.'
        : 'The request brought no token, and the service asks for one.',
    );
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    gate?: GateRules;
  }
}

import type { IncomingMessage } from 'node:http';
import { BridgeError } from '../base/errors.js';
import type { Credentials } from './credentials.js';
import { checkHost, checkOrigin, type HostNames } from './guards.js';
import { nodeCallerOf } from './nodes.js';

/** Access rules of one route. */
export interface GateRules {
  /** True when access needs no token, since the route reveals nothing and does nothing. */
  readonly public?: boolean;
  /** True when it also answers while the service ends. */
  readonly toTheEnd?: boolean;
  /** True for a page: any site may link to it, and a browser without a login is redirected to the login page. */
  readonly page?: boolean;
}

/** Checks every request and every upgrade before anything else. */
export class Gate {
  readonly credentials: Credentials | undefined;
  readonly #hosts: HostNames;
  readonly #origins: readonly string[];

  /** @param credentials without them no token is required */
  constructor(hosts: HostNames, origins: readonly string[], credentials: Credentials | undefined) {
    this.#hosts = hosts;
    this.#origins = origins;
    this.credentials = credentials;
  }

  /** True for an allowed origin of other pages. */
  allows(origin: string | undefined): origin is string {
    return origin !== undefined && this.#origins.includes(origin);
  }

  /** @throws BridgeError HOST_DENIED, ORIGIN_DENIED or TOKEN_REQUIRED */
  admit(request: IncomingMessage, rules: GateRules = {}): void {
    // The calling node has already checked the original caller.
    if (nodeCallerOf(request)) return;
    const { headers } = request;
    // Two Host headers are invalid: a reader of the other one would see another host (RFC 9112 §3.2).
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

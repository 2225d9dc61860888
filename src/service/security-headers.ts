import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Gate } from './gate.js';

/** Sources that a page of the service may load: only its own files. */
export const PAGE_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "worker-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "font-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const API_CSP = "default-src 'none'; frame-ancestors 'none'";

/** Sets the security headers of an answer. */
export function setSecurityHeaders(reply: FastifyReply, options: { page: boolean; secure: boolean }): void {
  void reply.headers({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // Not 'no-referrer': the login form would then have the origin 'null'.
    'referrer-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'microphone=(self), camera=(), geolocation=()',
    'content-security-policy': options.page ? PAGE_CSP : API_CSP,
    'cache-control': 'no-store',
    ...(options.secure && { 'strict-transport-security': 'max-age=31536000' }),
  });
}

/**
 * Lets pages of the allowed origins read the answers (the Fetch standard's CORS protocol). They send their token in a
 * header: the login's cookie is only for the service's own pages.
 * @returns true for a preflight request, which needs no further answer
 */
export function allowOrigin(gate: Gate, request: FastifyRequest, reply: FastifyReply): boolean {
  const { origin } = request.headers;
  if (!gate.allows(origin)) return false;
  void reply.headers({
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'location',
    'cross-origin-resource-policy': 'cross-origin',
    vary: 'origin',
  });
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
    return false;
  void reply.headers({
    'access-control-allow-methods': 'GET, POST, PUT, DELETE',
    'access-control-allow-headers': 'authorization, content-type, last-event-id',
    'access-control-max-age': '600',
    ...(request.headers['access-control-request-private-network'] === 'true' && {
      'access-control-allow-private-network': 'true',
    }),
  });
  return true;
}

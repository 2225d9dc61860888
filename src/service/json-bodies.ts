import type { FastifyRequest } from 'fastify';
import { BridgeError } from '../base/errors.js';
import type { Api } from './context.js';
import type { ServiceLimits } from './limits.js';
import { linger, stayForAnswer } from './upload.js';

/** Limits the time for receiving a parsed body; sound uploads have their own limit. */
export function boundJsonBodies(api: Api, { jsonBodyMs }: ServiceLimits): void {
  api.addHook('preParsing', (request, reply, payload, next) => {
    if (streams(request)) return next(null, payload);
    const timer = setTimeout(() => {
      if (request.raw.complete || reply.sent) return;
      const error = new BridgeError(
        'REQUEST_TIMEOUT',
        `The body of the request did not come within ${jsonBodyMs} ms.`,
      );
      stayForAnswer(request.raw, reply.raw);
      void reply.send(error);
      linger(request.raw);
    }, jsonBodyMs);
    timer.unref();
    payload.once('end', () => clearTimeout(timer));
    request.raw.once('close', () => clearTimeout(timer));
    next(null, payload);
  });
}

function streams({ routeOptions, headers }: FastifyRequest): boolean {
  const { streamsBody = false } = routeOptions.config;
  const isJson = /^application\/json\b/i.test(headers['content-type'] ?? '');
  return streamsBody === true || (streamsBody === 'unless-json' && !isJson);
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True when the route reads its body itself as it arrives; `unless-json` for all bodies but JSON. */
    streamsBody?: boolean | 'unless-json';
  }
}

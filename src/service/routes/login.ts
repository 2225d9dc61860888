import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { Api, ServiceContext } from '../context.js';
import { loginPage, safeNext } from '../pages/login-page.js';
import { sendPage } from '../pages/page.js';
import { ProblemSchema } from '../problem.js';

const open = { gate: { public: true } };
const tags = ['service'];

/** Login and logout for browsers. */
export function loginRoutes(api: Api, context: ServiceContext): void {
  const { gate, bridge } = context;
  const { secure } = bridge.listener;

  /** @returns true when the token is right, and the cookie is set */
  const login = (request: FastifyRequest, reply: FastifyReply, token: string): boolean => {
    if (!gate.credentials?.matches(token)) {
      bridge.logger.warn({ remote: request.ip }, 'a login was refused: the token was wrong');
      return false;
    }
    bridge.logger.info({ remote: request.ip }, 'somebody has logged in');
    void reply.header('set-cookie', gate.credentials.login(Date.now(), secure));
    return true;
  };

  api.route({
    method: 'POST',
    url: '/api/login',
    config: open,
    schema: {
      operationId: 'login',
      summary: 'Exchanges the token for a cookie, for pages of the service',
      description:
        'The cookie is HttpOnly and SameSite=Strict, lasts seven days, and does not hold the token.',
      tags,
      body: z.strictObject({ token: z.string().max(1000) }),
      response: { 204: z.null().describe('Logged in, or no token is needed.'), default: ProblemSchema },
    },
    handler: (request, reply) => {
      if (gate.credentials && !login(request, reply, request.body.token)) {
        throw new BridgeError('TOKEN_REQUIRED', 'The token of the login is wrong.');
      }
      void reply.code(204).send(null);
    },
  });

  api.route({
    method: 'POST',
    url: '/api/logout',
    config: open,
    schema: {
      operationId: 'logout',
      summary: 'Takes the cookie back',
      tags,
      response: { 204: z.null().describe('Logged out.'), default: ProblemSchema },
    },
    handler: (_request, reply) => {
      if (gate.credentials) void reply.header('set-cookie', gate.credentials.logout(secure));
      void reply.code(204).send(null);
    },
  });

  void api.register((scope, _options, done) => {
    scope.addContentTypeParser<string>(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: 4096 },
      (_request, body, parsed) => parsed(null, new URLSearchParams(body)),
    );
    const show = (
      request: FastifyRequest,
      reply: FastifyReply,
      status: number,
      next: string,
    ): FastifyReply => {
      const language = request.headers['accept-language'];
      sendPage(reply, status, loginPage({ next, wrong: status === 401, language }));
      return reply;
    };

    scope.route({
      method: 'GET',
      url: '/login',
      config: { gate: { public: true, page: true } },
      schema: { hide: true },
      handler: (request, reply) => {
        const next = safeNext((request.query as Record<string, unknown>)['next']);
        return gate.credentials ? show(request, reply, 200, next) : reply.redirect(next, 303);
      },
    });
    scope.route({
      method: 'POST',
      url: '/login',
      config: open,
      schema: { hide: true },
      handler: (request, reply) => {
        const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
        const next = safeNext(form.get('next'));
        if (gate.credentials && !login(request, reply, form.get('token') ?? ''))
          return show(request, reply, 401, next);
        return reply.redirect(next, 303);
      },
    });
    done();
  });
}

import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { UpgradeRequest } from '../../transport/listener.js';
import type { RouteFamily, ServiceContext } from '../context.js';
import { AgentParams } from '../params.js';
import { fromThrown, ProblemSchema } from '../problem.js';
import { refuseWithProblem } from '../refuse-upgrade.js';
import { StreamSockets } from '../stream/socket.js';

const PATH = /^\/api\/agents\/([^/]+)\/stream$/;

const DESCRIPTION =
  'A WebSocket for programs that make sound as they go. The client sends text messages (JSON, `StreamClientMessage`) and ' +
  'binary messages (sound, in any cut); the service answers with text messages (JSON, `StreamServerMessage`), `hello` ' +
  'first. `start` begins a speech, the sound follows, `end` completes it; several may follow one another. `say` begins one ' +
  'of text, whose pieces follow as `text`. Words and sound ' +
  'are taken in the order in which they come. When enough sound waits, the service says `pause` and later `resume`. ' +
  'A client that closes the socket with code 1000 has ended its speech; the unfinished speech of one that goes in any ' +
  'other way is stopped. A client that does not read what it is told is dropped.';

/** Route of sound over a WebSocket, as it is made. */
export const streamRoutes: RouteFamily = (api, context) => {
  const sockets = new StreamSockets(context);
  context.takeStream = (upgrade) => takeUpgrade(context, sockets, upgrade);
  context.bridge.listener.addUpgradeRoute(context.takeStream);
  api.addHook('onClose', () => sockets.close());

  api.route({
    method: 'GET',
    url: '/api/agents/:name/stream',
    schema: {
      operationId: 'openStream',
      summary: 'A WebSocket for sound as it is made, and everything about it',
      description: DESCRIPTION,
      tags: ['speeches'],
      params: AgentParams,
      'x-websocket': {
        client: { $ref: '#/components/schemas/StreamClientMessage' },
        server: { $ref: '#/components/schemas/StreamServerMessage' },
      },
      response: { 101: z.null().describe('A WebSocket (RFC 6455).'), default: ProblemSchema },
    },
    handler: () => {
      throw new BridgeError('UPGRADE_REQUIRED', 'This address takes a WebSocket, and the request was none.');
    },
  });
};

function takeUpgrade(context: ServiceContext, sockets: StreamSockets, upgrade: UpgradeRequest): boolean {
  const name = PATH.exec(upgrade.url.pathname)?.[1];
  if (name === undefined) return false;
  // A stream ends with this process, so that the keeper's copy of its socket is not needed.
  upgrade.heldSocket?.release();
  try {
    context.gate.admit(upgrade.request);
    if (context.closing.aborted) throw context.closing.reason as BridgeError;
    const agent = decode(name);
    if (context.nodes?.forwardStream(upgrade, agent)) return true;
    sockets.take(upgrade, context.nodes?.localName(agent) ?? agent);
  } catch (error) {
    const known = fromThrown(error);
    const { logger } = context.bridge;
    logger.warn({ remote: upgrade.request.socket.remoteAddress }, `a stream was refused: ${known.message}`);
    refuseWithProblem(upgrade.socket, known);
  }
  return true;
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new BridgeError('REQUEST_INVALID', 'The address of the request is malformed.');
  }
}

declare module 'fastify' {
  interface FastifySchema {
    /** Message schemas of a WebSocket, in each direction; for the reference. */
    'x-websocket'?: {
      readonly client: { readonly $ref: string };
      readonly server: { readonly $ref: string };
    };
  }
}

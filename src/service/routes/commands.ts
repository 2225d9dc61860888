import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import { knownAgent, type RouteFamily } from '../context.js';
import { TargetParams } from '../params.js';
import { ProblemSchema } from '../problem.js';
import { CommandResultSchema } from '../schemas.js';
import { sendCommands, sendToAll } from '../send-commands.js';
import { agentsOf, isGroupName } from '../target.js';

const MAX_COMMANDS = 1000;

const AgentResultsSchema = z.object({ agent: z.string(), results: z.array(CommandResultSchema) });

/** Routes of text commands. */
export const commandRoutes: RouteFamily = (api, context) => {
  api.route({
    method: 'POST',
    url: '/api/agents/:name/commands',
    bodyLimit: context.limits.maxJsonBytes,
    schema: {
      operationId: 'sendCommands',
      summary: 'Sends text commands, in order',
      description:
        'All of them are checked first, and none is sent when one breaks a rule. `sent` means handed over; the echo, if there is one, comes as a `message` event. Of several agents each is told apart, and one to whom nothing could be sent holds up no other.',
      tags: ['agents'],
      params: TargetParams,
      body: z.strictObject({
        commands: z.array(z.string().describe('`TYPE|arg|…`, without a newline.')).min(1).max(MAX_COMMANDS),
        waitMs: z
          .number()
          .min(0)
          .max(86_400_000)
          .optional()
          .describe('How long to wait for an agent that is not there; not at all by default.'),
      }),
      response: {
        200: z.union([z.object({ agents: z.array(AgentResultsSchema) }), AgentResultsSchema]),
        default: ProblemSchema,
      },
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      const { commands, waitMs = 0 } = request.body;
      const leave = waitMs > 0 ? context.waits.take() : undefined;
      try {
        const agents = agentsOf(context, name, (one) =>
          waitMs > 0 ? context.bridge.visitAgent(one) : knownAgent(context, one),
        );
        for (const command of commands) agents[0]!.checkCommand(command);
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort(new BridgeError('CLOSED', 'The client went away.')));
        const signal = AbortSignal.any([gone.signal, context.closing]);
        if (isGroupName(name)) return { agents: await sendToAll(agents, commands, { waitMs, signal }) };
        return { agent: name, results: await sendCommands(agents[0]!, commands, { waitMs, signal }) };
      } finally {
        leave?.();
      }
    },
  });
};

import type { Agent } from '../agent/agent.js';
import { toBridgeError, type BridgeError } from '../base/errors.js';
import { toProblem } from './problem.js';
import type { CommandResultJson } from './schemas.js';

/**
 * Sends commands until one fails. Later ones are not sent, so that their order is kept.
 * @throws BridgeError when the first one failed; as `Agent.send`
 */
export async function sendCommands(
  agent: Agent,
  commands: readonly string[],
  options: { waitMs: number; signal: AbortSignal },
): Promise<CommandResultJson[]> {
  const results: CommandResultJson[] = [];
  let failure: BridgeError | undefined;
  for (const command of commands) {
    if (!failure) {
      try {
        await agent.send(command, options);
      } catch (error) {
        failure = toBridgeError(error, 'INTERNAL', 'The command was not sent');
        if (results.length === 0) throw failure;
      }
    }
    results.push({ command, sent: !failure, error: failure ? toProblem(failure) : null });
  }
  return results;
}

/** Sends commands to several agents in parallel. If none could be sent to an agent, each of its commands has the reason. */
export function sendToAll(
  agents: readonly Agent[],
  commands: readonly string[],
  options: { waitMs: number; signal: AbortSignal },
): Promise<{ agent: string; results: CommandResultJson[] }[]> {
  return Promise.all(
    agents.map(async (agent) => {
      try {
        return { agent: agent.name, results: await sendCommands(agent, commands, options) };
      } catch (thrown) {
        const error = toProblem(toBridgeError(thrown, 'INTERNAL', 'The command was not sent'));
        return { agent: agent.name, results: commands.map((command) => ({ command, sent: false, error })) };
      }
    }),
  );
}

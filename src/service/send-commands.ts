import type { Agent } from '../agent/agent.js';
import { toBridgeError, type BridgeError } from '../base/errors.js';
import { toProblem } from './problem.js';
import type { CommandResultJson } from './schemas.js';

/**
 * Sends commands until one fails; those after it are not sent, so that their order is never broken.
 * @throws BridgeError when not even the first was sent; as `Agent.send`
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

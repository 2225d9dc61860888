import { withService, type AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';
import { addClientOptions, readOptions } from './flags.js';

/** `mcp`: a Model Context Protocol server on standard input and output. */
export const addMcp: AddCommand = (program, run) => {
  const command = program
    .command('mcp')
    .summary('give an LLM agent the avatar’s voice (MCP over stdio)')
    .description(
      'Runs a Model Context Protocol server on standard input and output, so that an LLM agent speaks through the ' +
        'running service. An MCP client starts it: its command is mmdagent-bridge, its arguments are mcp.',
    );
  addClientOptions(command, { agent: true });
  command.action(() =>
    run(command, (context) =>
      withService(command, context, async ({ client, signal }) => {
        const { agent } = readOptions(command, ['agent'], context.env);
        const { serveMcp } = await import('./mcp-server.js');
        await serveMcp({ client, agent, signal });
        return EXIT.ok;
      }),
    ),
  );
};

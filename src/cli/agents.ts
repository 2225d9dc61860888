import type { AgentJson } from '../service/schemas.js';
import { withService, type AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';
import { addClientOptions } from './flags.js';
import { printable, seconds, table } from './terminal.js';

/** `agents`: lists connected agents. */
export const addAgents: AddCommand = (program, run) => {
  const command = program
    .command('agents')
    .summary('list the avatars that are connected')
    .description('Lists the avatars: name, state, model, what they speak and how far they are.')
    .option('--json', 'as one JSON array');
  addClientOptions(command, { agent: false });
  command.action((flags: { json?: boolean }) =>
    run(
      command,
      (context) =>
        withService(command, context, async ({ client }) => {
          const { terminal } = context;
          const { agents } = await client.get<{ agents: AgentJson[] }>('/api/agents');
          if (flags.json) terminal.json(agents);
          else if (agents.length === 0) terminal.say('No avatar is connected.');
          else listing(agents).forEach((line) => terminal.say(line));
          return EXIT.ok;
        }),
      flags,
    ),
  );
};

const HEADS = ['NAME', 'STATE', 'MODEL', 'SPEAKING', 'POSITION', 'HELD', 'WAITING', 'FROM', 'RELAYS'];

/** Returns the lines of the table; with a node column when nodes are joined. */
function listing(agents: readonly AgentJson[]): string[] {
  const rows = [HEADS, ...agents.map(row)];
  if (agents.every(({ node }) => node === undefined)) return table(rows);
  const nodes = ['NODE', ...agents.map(({ node }) => node ?? '-')];
  return table(rows.map(([name, ...rest], index) => [name!, nodes[index]!, ...rest]));
}

function row(agent: AgentJson): string[] {
  const { name, model, paused, stalled, speaking, heldMs, speeches, remote } = agent;
  const current = speaking ? speeches[0] : undefined;
  const whole = current && current.durationMs !== null ? ` / ${seconds(current.durationMs)}` : '';
  return [
    name,
    (agent.handover ? 'on its way' : agent.state) +
      (paused ? ', paused' : '') +
      (agent.unanswered ? ', no answer' : stalled ? ', not reading' : ''),
    printable(model),
    current ? printable(current.label) : '-',
    current ? `${seconds(current.positionMs)}${whole}` : '-',
    `${Math.round(heldMs)} ms`,
    String(speeches.length - (current ? 1 : 0)),
    remote ?? '-',
    agent.relayed.map(({ name }) => printable(name)).join(' ') || '-',
  ];
}

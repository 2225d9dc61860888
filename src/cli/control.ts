import type { Command } from 'commander';
import type { AgentJson, InterruptionJson, SpeechJson, SpeechResultJson } from '../service/schemas.js';
import type { ServiceClient } from './client.js';
import { withService, type AddCommand, type Runner } from './command.js';
import { EXIT } from './exit-codes.js';
import { addClientOptions, readOptions } from './flags.js';
import { endLine, isSeveral } from './speech-lines.js';
import { printable, seconds, table, type Terminal } from './terminal.js';

type Body = (
  client: ServiceClient,
  path: string,
  agent: string,
  terminal: Terminal,
  json: boolean,
) => Promise<void>;

type NamedInterruption = InterruptionJson & { readonly agent: string };

/** `stop [ID]`: stops one speech, or all. */
export const addStop: AddCommand = (program, run) => {
  const command = program
    .command('stop')
    .summary('stop what an avatar speaks')
    .description('Stops one speech by its id, or without one what is spoken and all that waits.')
    .argument('[id]', 'the id of a speech, as queue lists it');
  command.action((id: string | undefined) =>
    act(command, run, async (client, path, agent, terminal, json) => {
      if (id !== undefined) {
        const result = await client.delete<SpeechResultJson>(`${path}/speeches/${encodeURIComponent(id)}`);
        if (json) terminal.json(result);
        else terminal.say(`${printable(result.label)}: ${result.end ? endLine(result.end) : 'stopped'}`);
        return;
      }
      const result = await client.post<InterruptionJson | { agents: NamedInterruption[] }>(
        `${path}/interrupt`,
      );
      if (json) return terminal.json(result);
      for (const one of 'agents' in result ? result.agents : [{ agent, ...result }]) {
        const waiting = one.dropped === 0 ? '' : `, ${one.dropped} that waited dropped`;
        terminal.say(`${one.agent} is silent: ${seconds(one.heardMs)} heard${waiting}`);
      }
    }),
  );
  addCommon(command);
};

/** `pause`: pauses an agent's speech. */
export const addPause: AddCommand = (program, run) => {
  addVerb(program, run, 'pause', 'hold what an avatar speaks where it is', 'paused');
};

/** `resume`: resumes an agent's speech. */
export const addResume: AddCommand = (program, run) => {
  addVerb(program, run, 'resume', 'go on after a pause', 'going on');
};

/** `queue`: lists the speeches of an agent. */
export const addQueue: AddCommand = (program, run) => {
  const command = program.command('queue').summary('list what an avatar speaks and what waits');
  command.action(() =>
    act(command, run, async (client, path, agent, terminal, json) => {
      const { speeches } = await client.get<{ speeches: SpeechJson[] }>(`${path}/speeches`);
      if (json) return terminal.json(speeches);
      if (speeches.length === 0) {
        const who = isSeveral(agent) ? `${agent.split(',').join(', ')} have` : `${agent} has`;
        return terminal.say(`${who} nothing to speak.`);
      }
      const rows = speeches.map(({ id, label, state, positionMs, durationMs, agent: whose }) => [
        ...(isSeveral(agent) ? [whose] : []),
        id,
        state,
        `${seconds(positionMs)}${durationMs === null ? '' : ` / ${seconds(durationMs)}`}`,
        printable(label),
      ]);
      const heads = [...(isSeveral(agent) ? ['AVATAR'] : []), 'ID', 'STATE', 'POSITION', 'SOUND'];
      table([heads, ...rows]).forEach((line) => terminal.say(line));
    }),
  );
  addCommon(command);
};

function addVerb(
  program: Command,
  run: Runner,
  verb: 'pause' | 'resume',
  summary: string,
  done: string,
): void {
  const command = program.command(verb).summary(summary);
  command.action(() =>
    act(command, run, async (client, path, agent, terminal, json) => {
      const answer = await client.post<AgentJson | { agents: AgentJson[] }>(`${path}/${verb}`);
      if (json) return terminal.json(answer);
      const names = 'agents' in answer ? answer.agents.map(({ name }) => name) : [agent];
      for (const name of names) terminal.say(`${name}: ${done}`);
    }),
  );
  addCommon(command);
}

function addCommon(command: Command): void {
  command.option('--json', 'as JSON');
  addClientOptions(command, { agent: true });
}

function act(command: Command, run: Runner, body: Body): Promise<void> {
  const json = command.opts<{ json?: boolean }>().json === true;
  return run(
    command,
    (context) =>
      withService(command, context, async ({ client }) => {
        const { agent } = readOptions(command, ['agent'], context.env);
        await body(client, `/api/agents/${encodeURIComponent(agent)}`, agent, context.terminal, json);
        return EXIT.ok;
      }),
    { json },
  );
}

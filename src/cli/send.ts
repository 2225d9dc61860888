import { InvalidArgumentError } from 'commander';
import { BridgeError } from '../base/errors.js';
import type { CommandResultJson } from '../service/schemas.js';
import { problemOf, type ServiceClient } from './client.js';
import { commandDoubt } from '../agent/messages.js';
import { readStream } from '../source/memory.js';
import { withService, type AddCommand, type CliContext } from './command.js';
import { EXIT } from './exit-codes.js';
import { addClientOptions, readOptions } from './flags.js';
import { printable } from './terminal.js';

/** Maximum number of commands in one request. */
const MAX_BATCH = 1000;
/** Maximum line length, longer than any command: longer input is not a list of commands. */
const MAX_LINE = 100_000;

interface AgentResults {
  readonly agent: string;
  readonly results: readonly CommandResultJson[];
}

interface SendFlags {
  force?: boolean;
  waitMs?: number;
  json?: boolean;
}

/** `send LINE…`: sends text commands. */
export const addSend: AddCommand = (program, run) => {
  const command = program
    .command('send')
    .summary('send text commands to an avatar')
    .description(
      'Sends text commands to an avatar, in order: TYPE|arg|… All are checked first, and none is sent when one breaks a rule.',
    )
    .argument(
      '<line...>',
      "commands, such as 'MOTION_ADD|0|bye|bye.vmd'; - reads lines from standard input as they come",
    )
    .option(
      '--wait-ms <ms>',
      'how long to wait for an avatar that is not connected (default 0)',
      milliseconds,
    )
    .option('--force', 'do not warn of commands that the catalogue does not know')
    .option('--json', 'what became of each as JSON, an object a line');
  addClientOptions(command, { agent: true });
  command.action((lines: string[], flags: SendFlags) =>
    run(
      command,
      async (context) => {
        const { agent } = readOptions(command, ['agent'], context.env);
        if (lines.includes('-') && lines.length > 1) {
          throw new BridgeError(
            'OPTION_INVALID',
            '- stands alone: lines come as arguments or from standard input.',
          );
        }
        return withService(command, context, async ({ client, signal }) => {
          const given = lines[0] === '-' ? standardInput(context, signal) : [lines];
          for await (const batch of given) {
            for (const line of batch) warnOfUnknown(context, line, flags);
            await send(context, client, agent, batch, flags);
          }
          return EXIT.ok;
        });
      },
      flags,
    ),
  );
};

/** Warns of a command that is unknown in the catalogue or has wrong arguments; it is sent anyway. */
function warnOfUnknown({ terminal }: CliContext, line: string, { force, json }: SendFlags): void {
  const fault = force || json ? undefined : commandDoubt(line);
  if (fault !== undefined) terminal.warn(`warning: ${printable(fault)}`);
}

async function send(
  { terminal }: CliContext,
  client: ServiceClient,
  agent: string,
  commands: readonly string[],
  { waitMs = 0, json }: SendFlags,
): Promise<void> {
  const answer = await client.post<AgentResults | { agents: AgentResults[] }>(
    `/api/agents/${encodeURIComponent(agent)}/commands`,
    { commands, waitMs },
  );
  const told = 'agents' in answer ? answer.agents : [answer];
  for (const { agent: name, results } of told) {
    const whose = 'agents' in answer ? `${name}: ` : '';
    for (const result of results) {
      if (json) terminal.json('agents' in answer ? { agent: name, ...result } : result);
      else if (result.sent) terminal.say(`${whose}sent: ${printable(result.command)}`);
    }
  }
  const failed = told.flatMap(({ results }) => results).find(({ sent }) => !sent);
  if (failed) throw problemOf(failed.error) ?? new BridgeError('INTERNAL', 'A command was not sent.');
}

/** Yields the lines of standard input in the batches in which they arrive; empty lines are skipped. */
async function* standardInput(
  { stdin }: CliContext,
  signal: AbortSignal,
): AsyncGenerator<string[], void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of readStream(stdin, 'standard input', signal)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) {
      throw new BridgeError(
        'COMMAND_INVALID',
        `Standard input has a line of more than ${MAX_LINE} characters.`,
      );
    }
    yield* batches(lines);
  }
  yield* batches([rest + decoder.decode()]);
}

function* batches(lines: readonly string[]): Generator<string[], void, undefined> {
  const commands = lines.filter((line) => line.trim() !== '');
  for (let at = 0; at < commands.length; at += MAX_BATCH) yield commands.slice(at, at + MAX_BATCH);
}

function milliseconds(text: string): number {
  if (!/^\d{1,8}$/.test(text)) throw new InvalidArgumentError('It takes milliseconds.');
  return Number(text);
}

import { withService, type AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';
import { addClientOptions } from './flags.js';
import { printable, table } from './terminal.js';
import { addEngineOptions, engineQuery } from './text-query.js';
import { ENGINES } from '../tts/engines.js';

/** `voices`: lists the voices of an engine, and the engines. */
export const addVoices: AddCommand = (program, run) => {
  const command = program
    .command('voices')
    .summary('list the voices of an engine')
    .description('Lists the voices of an engine as the running service reaches it.')
    .option('--engines', 'list the engines instead')
    .option('--json', 'as JSON');
  addEngineOptions(command);
  addClientOptions(command, { agent: false });
  command.action((flags: { json?: boolean; engines?: boolean }) =>
    run(
      command,
      async (context) => {
        const { terminal, env } = context;
        if (flags.engines) {
          const engines = ENGINES.map(({ name, summary }) => ({ name, summary }));
          if (flags.json) terminal.json(engines);
          else
            table(engines.map(({ name, summary }) => [name, summary])).forEach((line) => terminal.say(line));
          return EXIT.ok;
        }
        const asked = await engineQuery(command, env);
        return withService(command, context, async ({ client }) => {
          const query = new URLSearchParams();
          for (const [name, value] of Object.entries(asked))
            if (value !== undefined) query.set(name, String(value));
          const answer = await client.get<{
            voices: { id: string; name: string; language?: string }[];
          }>(`/api/voices?${query.toString()}`);
          if (flags.json) terminal.json(answer);
          else {
            const rows = answer.voices.map(({ id, name, language = '' }) =>
              [id, name, language].map(printable),
            );
            table([['ID', 'NAME', 'LANGUAGE'], ...rows]).forEach((line) => terminal.say(line));
          }
          return EXIT.ok;
        });
      },
      flags,
    ),
  );
};

import { randomBytes } from 'node:crypto';
import type { AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';

/** Random bytes of a token: 192 bits, which cannot be guessed. */
const TOKEN_BYTES = 24;

/** `token`: prints a new secret for `--token`, `--token-file` or `--agent-token`. */
export const addToken: AddCommand = (program, run) => {
  const command = program
    .command('token')
    .summary('make a secret for --token-file or --agent-token')
    .description('Prints a new random token: 48 hexadecimal digits. It is stored nowhere.')
    .option('--json', 'as one JSON object');
  command.action((flags: { json?: boolean }) =>
    run(
      command,
      ({ terminal }) => {
        const token = randomBytes(TOKEN_BYTES).toString('hex');
        if (flags.json) terminal.json({ token });
        else terminal.say(token);
        return Promise.resolve(EXIT.ok);
      },
      flags,
    ),
  );
};

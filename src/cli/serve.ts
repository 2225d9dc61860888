import { readToken } from '../base/token.js';
import { SERVE_KEYS, SERVICE_KEYS } from '../config.js';
import { readConfig } from './config-file.js';
import { requireLoopback } from '../service/guards.js';
import type { AddCommand } from './command.js';
import { addOptions, readOptions } from './flags.js';

interface ServeFlags {
  json?: boolean;
  verbose?: boolean;
}

/** `serve`: runs the service that avatars connect to. */
export const addServe: AddCommand = (program, run) => {
  const command = program
    .command('serve')
    .summary('run the service that avatars connect to')
    .description(
      'Runs the service that avatars connect to and the other commands talk to, until Ctrl-C. ' +
        'Ending it ends the avatars that are connected: they do not survive the loss of their connection. A crash or ' +
        'a restart (`mmdagent-bridge restart`, or SIGHUP) does not: a parent process holds them meanwhile.',
    )
    .option('--json', 'log as JSON, as it does anyway when no person looks on')
    .option('--verbose', 'log everything');
  addOptions(command, [...SERVICE_KEYS, ...SERVE_KEYS]);
  command.action((flags: ServeFlags) =>
    run(
      command,
      async (context) => {
        const { env } = context;
        const file = await readConfig(command, env);
        const options = readOptions(command, SERVICE_KEYS, env, file.options);
        requireLoopback(options.host, readToken(options));
        const { serveUntilInterrupted } = await import('./serve-process.js');
        return serveUntilInterrupted(context, {
          options: { ...options, engines: file.engines, say: file.say, synthVoices: file.synthVoices },
          ...readOptions(command, SERVE_KEYS, env),
          configPath: file.path,
          json: flags.json === true,
          verbose: flags.verbose === true,
        });
      },
      flags,
    ),
  );
};

import { InvalidArgumentError } from 'commander';
import type { AddCommand } from './command.js';
import { addOptions, readOptions } from './flags.js';

interface SimulatorFlags {
  url?: string;
  tcpClient?: string;
  tcpServer?: number;
  count: number;
  record?: string;
  report?: string;
  content?: string;
  synthVoices?: string;
  retry: number;
  audioOpenMs: number;
  allLog?: boolean;
  json?: boolean;
}

/** `simulator`: runs simulated avatars without MMDAgent-EX. */
export const addSimulator: AddCommand = (program, run) => {
  const command = program
    .command('simulator')
    .summary('run simulated avatars')
    .description(
      'Runs simulated avatars that connect, hear and die as the real one does. Ctrl-C ends them and writes what they heard.',
    )
    .option(
      '--url <url>',
      'where they connect (default: where a service listens by --host, --port and --path)',
    )
    .option('--tcp-client <host:port>', 'connect over plain TCP, to a service with --tcp-listen')
    .option(
      '--tcp-server <port>',
      'listen on this port for a service with --tcp-connect; of several, each takes the next port',
      wholeNumber,
    )
    .option('--count <number>', 'how many', wholeNumber, 1)
    .option(
      '--record <file>',
      'write what is heard to a WAV file; of several, -2, -3, … are added to its name',
    )
    .option(
      '--content <file>',
      'play a dialogue: lines such as KEY|1 -> SYNTH_START|0|voice|text -> SYNTH_EVENT_STOP|0 -> …; START begins one by itself',
    )
    .option('--synth-voices <names>', 'voices of its own speech plugins, with commas between them')
    .option('--report <file>', 'write what became of them as JSON')
    .option(
      '--retry <number>',
      'how often to try again when not let in, as Plugin_Remote_RetryCount',
      wholeNumber,
      0,
    )
    .option(
      '--audio-open-ms <ms>',
      'time from its connection until its sound device is open; sound before is dropped',
      wholeNumber,
      200,
    )
    .option('--all-log', 'send its log in place of its messages, as Plugin_Remote_AllLog=true')
    .option('--json', 'what happens as JSON, an object a line');
  addOptions(command, ['host', 'port', 'path', 'model', 'timeoutMs']);
  command.action((flags: SimulatorFlags) =>
    run(
      command,
      async (context) => {
        const { host, port, path, model, timeoutMs } = readOptions(
          command,
          ['host', 'port', 'path', 'model', 'timeoutMs'],
          context.env,
        );
        const at = host.includes(':') ? `[${host}]` : host;
        const tcp =
          flags.tcpClient ?? (flags.tcpServer === undefined ? undefined : `127.0.0.1:${flags.tcpServer}`);
        const url = flags.url ?? (tcp === undefined ? `ws://${at}:${port}${path}` : `tcp://${tcp}`);
        const { simulate } = await import('./simulator-process.js');
        return simulate(context, { ...flags, url, tcpServer: flags.tcpServer, model, timeoutMs });
      },
      flags,
    ),
  );
};

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}

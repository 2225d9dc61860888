import { listRecorders } from '../source/devices.js';
import { deadline, type AddCommand } from './command.js';
import { EXIT } from './exit-codes.js';
import { addOptions, readOptions } from './flags.js';
import { printable, table } from './terminal.js';

/** `devices`: lists microphones. */
export const addDevices: AddCommand = (program, run) => {
  const command = program
    .command('devices')
    .summary('list the microphones of this machine')
    .description(
      'Lists microphones by name, for each program that can record. * is the one taken by default.',
    )
    .option('--json', 'as one JSON array');
  addOptions(command, ['timeoutMs']);
  command.action((flags: { json?: boolean }) =>
    run(
      command,
      async ({ terminal, env }) => {
        const { timeoutMs } = readOptions(command, ['timeoutMs'], env);
        const { signal, clear } = deadline(timeoutMs, 'devices');
        try {
          const reports = await listRecorders(signal);
          // A recorder that was interrupted must not look like one without devices.
          signal.throwIfAborted();
          if (flags.json) {
            terminal.json(
              reports.map(({ error, ...report }) => ({ ...report, ...(error && { error: error.message }) })),
            );
            return EXIT.ok;
          }
          const found = reports.filter(({ path }) => path !== undefined);
          if (found.length === 0) {
            terminal.say('No program that can record is installed. Any of these will do:');
            for (const { recorder, install } of reports)
              terminal.say(`  ${recorder}: ${install ?? 'see native-notes'}`);
          }
          for (const { recorder, devices, error } of found) {
            terminal.say(`${recorder}:`);
            if (error) terminal.say(`  ${printable(error.message)}`);
            else if (devices.length === 0)
              terminal.say('  it tells no names; it records from the system’s default');
            const rows = devices.map(({ id, description, isDefault, isMonitor }) => [
              isDefault ? '*' : ' ',
              printable(id),
              printable(description) + (isMonitor ? ' (what a loudspeaker plays)' : ''),
            ]);
            if (rows.length > 0) table(rows).forEach((line) => terminal.say(`  ${line}`));
          }
          return EXIT.ok;
        } finally {
          clear();
        }
      },
      flags,
    ),
  );
};

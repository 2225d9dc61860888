#!/usr/bin/env node
import { KEEPER_ENV } from '../keeper/messages.js';
import { useUtf8Console } from './console-code-page.js';
import { keep, wantsKeeper } from './keep-process.js';

// Only this file ends the process; everything else returns an exit status.

// Windows looks in the current folder before PATH; a program there must not be started instead.
if (process.platform === 'win32') process.env['NoDefaultCurrentDirectoryInExePath'] = '1';

const args = process.argv.slice(2);
if (args[0] === 'serve' && process.env[KEEPER_ENV] === undefined) useUtf8Console();
if (wantsKeeper(args, process.env)) process.exit(await keep(process.argv[1]!, args));

// Loaded after the keeper check: the keeper needs none of the commands' code.
const [{ createProgram }, { Terminal }] = await Promise.all([
  import('./program.js'),
  import('./terminal.js'),
]);

const interruptions = new Set<() => void>();
// Windows sends SIGBREAK for Ctrl-Break, and SIGHUP when the console window is closed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const) {
  process.on(signal, () => {
    if (interruptions.size === 0) process.exit(130);
    for (const listener of [...interruptions]) listener();
  });
}

// The reader of a pipe may end first (`watch | head`). That ends commands that only print, but never a service, on which
// avatars depend.
const outputGone = new Set<() => void>();
process.stderr.on('error', () => undefined);
process.stdout.on('error', () => {
  for (const listener of [...outputGone]) listener();
});

const program = createProgram({
  terminal: new Terminal(process.stdout, process.stderr),
  stdin: process.stdin,
  env: process.env,
  onInterrupt: (listener) => {
    interruptions.add(listener);
    return () => interruptions.delete(listener);
  },
  onOutputGone: (listener) => {
    outputGone.add(listener);
    return () => outputGone.delete(listener);
  },
});

const code = await program.run(args);
// Writes to a pipe are asynchronous: flush them before the process ends.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));

#!/usr/bin/env node
import { KEEPER_ENV } from '../keeper/messages.js';
import { useUtf8Console } from './console-code-page.js';
import { keep, wantsKeeper } from './keep-process.js';

// The one place that ends the process: everything else returns its exit status.

// A program in the current folder must not be started in place of one on PATH (Windows looks there first).
if (process.platform === 'win32') process.env['NoDefaultCurrentDirectoryInExePath'] = '1';

const args = process.argv.slice(2);
if (args[0] === 'serve' && process.env[KEEPER_ENV] === undefined) useUtf8Console();
if (wantsKeeper(args, process.env)) process.exit(await keep(process.argv[1]!, args));

// The keeper gets by without all that the commands need.
const [{ createProgram }, { Terminal }] = await Promise.all([
  import('./program.js'),
  import('./terminal.js'),
]);

const interruptions = new Set<() => void>();
// Windows sends SIGBREAK at Ctrl-Break; its SIGHUP says that the console window was closed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const) {
  process.on(signal, () => {
    if (interruptions.size === 0) process.exit(130);
    for (const listener of [...interruptions]) listener();
  });
}

// Whoever reads along may go first (`watch | head`). That ends who only has to tell something, and never a service:
// avatars live by it.
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
// A pipe takes what is written in its own time: what was said must get out before the process ends.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));

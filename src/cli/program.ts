import { Command, CommanderError } from 'commander';
import { VERSION } from '../base/version.js';
import { addAgents } from './agents.js';
import type { AddCommand, Runner, Surroundings } from './command.js';
import { addPause, addQueue, addResume, addStop } from './control.js';
import { addDemo } from './demo.js';
import { addDevices } from './devices.js';
import { addDoctor } from './doctor.js';
import { EXIT, exitCodeOf, reportError } from './exit-codes.js';
import { addRestart } from './restart.js';
import { addSay } from './say.js';
import { addSend } from './send.js';
import { addMic } from './mic.js';
import { addServe } from './serve.js';
import { addSimulator } from './simulator.js';
import { addSpeak } from './speak.js';
import { addVoices } from './voices.js';
import { addWatch } from './watch.js';

/** Every command, in the order in which help lists them; a new one is a file and a line here. */
const COMMANDS: readonly AddCommand[] = [
  addServe,
  addSpeak,
  addSay,
  addVoices,
  addMic,
  addSend,
  addWatch,
  addAgents,
  addQueue,
  addStop,
  addPause,
  addResume,
  addRestart,
  addDevices,
  addDoctor,
  addSimulator,
  addDemo,
];

/** The command `mmdagent-bridge`. */
export interface Program {
  /** Runs what the arguments ask for. @returns the exit status; it never throws */
  run(args: readonly string[]): Promise<number>;
  /** Every command's help, for the reference. */
  help(): { name: string; help: string }[];
}

/** Makes the program; nothing happens yet. */
export function createProgram(surroundings: Surroundings): Program {
  const { terminal } = surroundings;
  let exit: number = EXIT.ok;
  const run: Runner = async (_command, body, { json = false } = {}) => {
    try {
      exit = await body(surroundings);
    } catch (error) {
      reportError(terminal, error, json);
      exit = exitCodeOf(error);
    }
  };
  const program = new Command('mmdagent-bridge')
    .description('Gives an MMDAgent-EX avatar its voice.')
    .version(VERSION)
    .helpCommand(false)
    .showHelpAfterError('(--help says more)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.say(text.trimEnd()),
      writeErr: (text) => terminal.warn(text.trimEnd()),
    });
  for (const add of COMMANDS) add(program, run);

  return {
    async run(args) {
      try {
        await program.parseAsync([...args], { from: 'user' });
        return exit;
      } catch (error) {
        // Help and version end this way too, with status 0; whatever commander refuses is wrong usage.
        if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
        reportError(terminal, error, false);
        return exitCodeOf(error);
      }
    },
    help: () =>
      program.commands.map((command) => ({ name: command.name(), help: command.helpInformation() })),
  };
}

import { Command, CommanderError } from 'commander';
import { VERSION } from '../base/version.js';
import type { AddCommand, Runner, CliContext } from './command.js';
import { EXIT, exitCodeOf, reportError } from './exit-codes.js';

/**
 * Every command, in the order of the help; a new one needs a file and a line here. Each is loaded only when used: one
 * command needs a fraction of what all need, and a command should answer at once.
 */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import('./serve.js')).addServe,
  speak: async () => (await import('./speak.js')).addSpeak,
  say: async () => (await import('./say.js')).addSay,
  voices: async () => (await import('./voices.js')).addVoices,
  mic: async () => (await import('./mic.js')).addMic,
  send: async () => (await import('./send.js')).addSend,
  watch: async () => (await import('./watch.js')).addWatch,
  agents: async () => (await import('./agents.js')).addAgents,
  queue: async () => (await import('./control.js')).addQueue,
  stop: async () => (await import('./control.js')).addStop,
  pause: async () => (await import('./control.js')).addPause,
  resume: async () => (await import('./control.js')).addResume,
  restart: async () => (await import('./restart.js')).addRestart,
  mcp: async () => (await import('./mcp.js')).addMcp,
  devices: async () => (await import('./devices.js')).addDevices,
  token: async () => (await import('./token.js')).addToken,
  doctor: async () => (await import('./doctor.js')).addDoctor,
  simulator: async () => (await import('./simulator.js')).addSimulator,
  demo: async () => (await import('./demo.js')).addDemo,
};

/** The command `mmdagent-bridge`. */
export interface Program {
  /** Runs the given arguments. @returns the exit status; it never throws */
  run(args: readonly string[]): Promise<number>;
  /** Returns every command's help, for the reference. */
  help(): Promise<{ name: string; help: string }[]>;
}

/** Creates the program without running it. */
export function createProgram(context: CliContext): Program {
  const { terminal } = context;
  let exit: number = EXIT.ok;
  const run: Runner = async (_command, body, { json = false } = {}) => {
    try {
      exit = await body(context);
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
  const load = async (names: readonly string[]): Promise<void> => {
    for (const add of await Promise.all(names.map((name) => COMMANDS[name]!()))) add(program, run);
  };

  return {
    async run(given) {
      // `help speak` is `speak --help`.
      const args = given[0] === 'help' ? [...given.slice(1), '--help'] : given;
      try {
        await load(wantedOf(args));
        await program.parseAsync([...args], { from: 'user' });
        return exit;
      } catch (error) {
        // Help and version also end with an error, of status 0; any other commander error is wrong usage.
        if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
        reportError(terminal, error, false);
        return exitCodeOf(error);
      }
    },
    async help() {
      await load(Object.keys(COMMANDS));
      return program.commands.map((command) => ({ name: command.name(), help: command.helpInformation() }));
    },
  };
}

/** Returns the commands to load: the given one, or all without a command, for the help that lists them. */
function wantedOf([first = '']: readonly string[]): string[] {
  if (Object.hasOwn(COMMANDS, first)) return [first];
  return first === '--version' || first === '-V' ? [] : Object.keys(COMMANDS);
}

import { BridgeError, toBridgeError, type ErrorKind } from '../base/errors.js';
import { toProblem } from '../service/problem.js';
import { printable, type Terminal } from './terminal.js';

/** Exit status of a command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unavailable: 3,
  timeout: 4,
  interrupted: 130,
} as const;

const EXIT_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  usage: EXIT.usage,
  input: EXIT.failed,
  'not-found': EXIT.unavailable,
  denied: EXIT.failed,
  limit: EXIT.failed,
  unavailable: EXIT.unavailable,
  timeout: EXIT.timeout,
  stopped: EXIT.failed,
  internal: EXIT.failed,
};

/** Ctrl-C, or a closed terminal. */
export class Interrupted extends Error {}

/** Returns the exit status of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  return error instanceof BridgeError ? EXIT_OF_KIND[error.kind] : EXIT.failed;
}

/** Prints an error as text, or as JSON with `json`. Never prints a stack trace. */
export function reportError(terminal: Terminal, error: unknown, json: boolean): void {
  if (error instanceof Interrupted) {
    if (error.message !== '') terminal.warn(error.message);
    return;
  }
  const known = toBridgeError(error, 'INTERNAL', 'The command failed');
  if (json) return terminal.json({ type: 'error', error: toProblem(known) });
  terminal.warn(`mmdagent-bridge: ${printable(known.message)}`);
  terminal.warn(`  ${known.advice} [${known.code}]`);
}

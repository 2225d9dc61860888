import { startProgram } from '../../base/child.js';
import { BridgeError } from '../../base/errors.js';
import { systemClock } from '../../base/clock.js';

/** Timeout of a query, in ms: a hung sound server must not block the list of devices. */
const ANSWER_WITHIN_MS = 5_000;
/** Maximum output of a query, in bytes; a list of devices is a few kilobytes. */
const MAX_ANSWER_BYTES = 4_000_000;

/** Output of a program that was queried. */
export interface Answer {
  readonly ok: boolean;
  readonly stdout: string;
  /** Last 4,096 characters of standard error, where ffmpeg prints its lists. */
  readonly stderr: string;
}

/**
 * Runs a program to its end and returns its output.
 * @param path absolute path, from `findProgram`
 * @throws BridgeError RECORDER_FAILED when it cannot be started, prints too much or takes more than 5 s; the
 * signal's reason when it is aborted
 */
export async function ask(path: string, args: readonly string[], signal: AbortSignal): Promise<Answer> {
  // The output is parsed, so it must not be in the user's language.
  const env = { LC_ALL: 'C' };
  const lines: string[] = [];
  let lineChars = 0;
  const onStderrLine = (line: string): void => {
    lineChars += line.length;
    if (lineChars < MAX_ANSWER_BYTES) lines.push(line);
  };
  const program = startProgram(path, args, { signal, env, onStderrLine });
  const late = new AbortController();
  const timer = systemClock.after(ANSWER_WITHIN_MS, () => {
    late.abort();
    void program.stop();
  });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of program.stdout) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) break;
      chunks.push(chunk);
    }
  } finally {
    timer.cancel();
  }
  const exit = await program.exit;
  const failed = late.signal.aborted
    ? `did not answer within ${ANSWER_WITHIN_MS / 1000} s`
    : bytes > MAX_ANSWER_BYTES
      ? 'answered without an end'
      : exit.error && `could not be started: ${exit.error.message}`;
  if (failed) throw new BridgeError('RECORDER_FAILED', `${program.name} ${failed}.`, { cause: exit.error });
  return { ok: exit.code === 0, stdout: Buffer.concat(chunks).toString('utf8'), stderr: lines.join('\n') };
}

/** Joins the last three lines of an output into one. */
export function lastLines(text: string): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .slice(-3)
    .join('; ')
    .replace(/\.$/, '');
}

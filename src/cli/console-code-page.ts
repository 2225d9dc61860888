import { spawnSync } from 'node:child_process';
import { isatty } from 'node:tty';

/** Code page of UTF-8 on Windows. */
const UTF_8 = '65001';

/**
 * Sets the Windows console to UTF-8 until the process exits. The log goes to the console as bytes, because Node's own
 * console stream would hold the event loop while a person selects text in the window.
 */
export function useUtf8Console(): void {
  if (process.platform !== 'win32' || !isatty(1)) return;
  const before = /\d+/.exec(chcp())?.[0];
  if (before === undefined || before === UTF_8) return;
  chcp(UTF_8);
  process.once('exit', () => chcp(before));
}

function chcp(...args: string[]): string {
  const { stdout } = spawnSync('chcp.com', args, { stdio: ['inherit', 'pipe', 'ignore'] });
  // null when the program does not exist.
  return String(stdout);
}

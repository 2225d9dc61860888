import { existsSync, readFileSync } from 'node:fs';

/** Whether a process runs. A zombie is dead: a container's first process may never collect it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc') || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

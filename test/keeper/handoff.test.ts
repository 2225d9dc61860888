import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { buildForProcess } from '../support/built.js';

// The claim is about the system and Node, not about the project; README says what is known of it (Crashes and restarts).
it('a socket of a killed process can be read by the next one on this system', { timeout: 120_000 }, () => {
  const module = buildForProcess('test/support/handoff-probe.ts');
  const { stdout, status } = spawnSync(process.execPath, [module, '4'], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/4 rounds, 0 failed/)]);
});

import { describe } from 'vitest';
import { findProgram } from '../../src/base/child.js';

/**
 * A `describe` for tests that need programs. Where one is absent they are skipped, and it is said which; with CI set
 * nothing is skipped, so that they fail there.
 */
export async function describeWith(
  programs: readonly string[],
  name: string,
  tests: () => void,
): Promise<void> {
  const found = await Promise.all(programs.map((program) => findProgram(program)));
  const missing = programs.filter((_, i) => found[i] === undefined);
  if (missing.length === 0 || process.env.CI) return void describe(name, tests);
  console.warn(`Skipped: ${name}. Not installed: ${missing.join(', ')}.`);
  describe.skip(`${name} (skipped: no ${missing.join(', ')})`, tests);
}

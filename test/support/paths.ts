import { fileURLToPath } from 'node:url';

/** The project's top folder. */
export const projectDir = fileURLToPath(new URL('../..', import.meta.url));

/** A path below the project's top folder. */
export function inProject(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

import { pathToFileURL } from 'node:url';
import { inProject } from './paths.js';

/** A script of the console that needs no browser, with the types that a test says it has. */
export async function consoleModule<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(inProject(`src/console/${name}`)).href)) as Module;
}

import { readFileSync } from 'node:fs';

/** The package's name: how the service tells itself from other programs. */
export const PACKAGE_NAME = 'mmdagent-audio-bridge';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The package's version, as its manifest has it. */
export const VERSION = manifest.version;

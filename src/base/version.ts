import { readFileSync } from 'node:fs';

/** Package name, which the service reports so that it can be told from other programs. */
export const PACKAGE_NAME = 'mmdagent-audio-bridge';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Package version, from package.json. */
export const VERSION = manifest.version;

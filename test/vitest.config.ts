import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import LongestFirst from './support/longest-first.js';

/** Tests that put something else in the place of a module, or need its state to be their own. */
const ALONE = [
  'test/source/url-private.test.ts',
  'test/service/attacks/token.test.ts',
  'test/audio/decode/temporary-file.test.ts',
];

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', fileURLToPath(new URL('support/plain-reporter.ts', import.meta.url))],
    // Real processes and real-time playback share the machine with everything else: be generous.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most tests wait for time to pass: a few more than a small machine has cores, but not so many that they fight.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    projects: [
      // What a worker has loaded serves the next file too: loading everything anew for each costs a third of the time.
      {
        extends: true,
        test: { name: 'together', isolate: false, include: ['test/**/*.test.ts'], exclude: ALONE },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
});

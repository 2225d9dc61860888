import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', fileURLToPath(new URL('support/plain-reporter.ts', import.meta.url))],
    // Real processes and real-time playback share the machine with everything else: be generous.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most tests wait for time to pass: a few more than a small machine has cores, but not so many that they fight.
    maxWorkers: 3,
  },
});

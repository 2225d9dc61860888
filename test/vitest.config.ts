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
    // The tests that play in real time must not fight each other for a small machine's cores.
    maxWorkers: 2,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // Real processes and real-time playback share the machine with everything else: be generous.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The tests that measure real time must not fight each other for a small machine's cores.
    maxWorkers: 2,
  },
});

import { defineConfig } from 'vitest/config';

/** Tests that boot guests: slow, one at a time, on a built tree (npm test and CI build first). */
export default defineConfig({
  test: {
    include: ['test/lab/**/*.test.ts'],
    fileParallelism: false,
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 30_000,
  },
});

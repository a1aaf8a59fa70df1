import { defineConfig } from 'vitest/config';

/** Tests that boot a guest: one at a time, with time to boot. */
export default defineConfig({
  test: {
    include: ['test/lab/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,lab,bench,scripts,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', 'test/native/**', 'test/lab/**'],
    // Property tests take seconds, and several times as long where other processes have the cores.
    testTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,lab,bench,scripts,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**', 'test/native/**', 'test/lab/**'],
    testTimeout: 20_000,
  },
});

import { defineConfig } from 'vitest/config';

/** Tests on this machine's own kernel: root, BPF, network namespaces. One file at a time: they measure. */
export default defineConfig({
  test: {
    include: ['test/native/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});

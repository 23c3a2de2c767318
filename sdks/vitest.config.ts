import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*/test/*.test.ts'],
    globalSetup: 'examples/test/build.ts',
    testTimeout: 30_000,
    restoreMocks: true,
  },
});

import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Every package writes a JSON report: the repository's test command counts from these, never from console text. */
export function packageTests(test: ViteUserConfig['test'] = {}): ViteUserConfig {
  return defineConfig({
    test: {
      include: ['test/**/*.test.ts'],
      reporters: ['default', 'json'],
      outputFile: { json: 'reports/vitest.json' },
      testTimeout: 60_000,
      // What a file prepares may train a model, as its tests do.
      hookTimeout: 60_000,
      // Test files run side by side: threads that spin while they wait would only take each other's time.
      env: { PALIMPSEST_THREADS: '1' },
      ...test,
    },
  });
}

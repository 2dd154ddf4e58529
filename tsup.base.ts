import { defineConfig, type Options } from 'tsup';

/** One build for every package: ESM + CJS + types from `src/index.ts`. */
export function packageBuild(options: Options = {}): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry: ['src/index.ts'],
    format: ['esm', 'cjs'],
    dts: true,
    clean: true,
    target: 'node20',
    sourcemap: false,
    ...options,
  });
}

import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite8 from 'vite';
import * as vite7 from 'vite-7';
import webpack from 'webpack';

/** Builds the page of a folder (`index.html`, `main.js`, `worker.js`) into another one. */
type Build = (page: string, out: string) => Promise<void>;

/** As a user without a configuration file builds. */
const withVite =
  (build: typeof vite8.build | typeof vite7.build): Build =>
  async (root, outDir) => {
    // Without minifying, which takes the longest and is esbuild's part here.
    const options = { outDir, emptyOutDir: true, minify: false };
    await build({ root, configFile: false, logLevel: 'error', base: './', build: options });
  };

/** `main.js` and, where there is one, `worker.js`: files of their own for bundlers that do not look for workers. */
const entries = (page: string) =>
  Object.fromEntries(
    ['main', 'worker']
      .map((name) => [name, join(page, `${name}.js`)] as const)
      .filter(([, file]) => existsSync(file)),
  );

export const bundlers: Readonly<Record<string, Build>> = {
  'Vite 7': withVite(vite7.build),
  'Vite 8': withVite(vite8.build),

  async esbuild(page, outdir) {
    const { warnings } = await esbuild.build({
      entryPoints: entries(page),
      outdir,
      bundle: true,
      format: 'esm',
      minify: true,
      logLevel: 'silent',
    });
    if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'));
    cpSync(join(page, 'index.html'), join(outdir, 'index.html'));
  },

  async webpack(page, path) {
    const compiler = webpack({
      mode: 'production',
      context: page,
      entry: './main.js',
      output: { path },
      optimization: { minimize: false },
      performance: false,
    });
    const stats = await promisify(compiler!.run.bind(compiler))();
    await promisify(compiler!.close.bind(compiler))();
    if (stats?.hasErrors() || stats?.hasWarnings())
      throw new Error(stats.toString({ preset: 'errors-warnings' }));
    // Its chunks are found beside a classic script alone.
    const html = readFileSync(join(page, 'index.html'), 'utf8').replace('type="module"', 'defer');
    writeFileSync(join(path, 'index.html'), html);
  },

  async rollup(page, dir) {
    const bundle = await rollup({
      input: entries(page),
      plugins: [nodeResolve(), commonjs()],
      onwarn({ code, message }) {
        if (code === 'UNRESOLVED_IMPORT' || code === 'MISSING_EXPORT') throw new Error(message);
      },
    });
    await bundle.write({ dir, format: 'es' });
    await bundle.close();
    cpSync(join(page, 'index.html'), join(dir, 'index.html'));
  },
};

/** Whether a bundler brings along what a module names as `new URL('./file', import.meta.url)`. */
export const findsAssets = (bundler: string): boolean => bundler !== 'esbuild' && bundler !== 'rollup';

// TensorFlow.js registers its gradients from files that Node cannot load unbundled, so the package carries one
// bundle of core + gradients + the cpu and wasm backends. Its engine and registries stay global singletons.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';

// Browser types that the declarations mention; nobody calls those functions from here.
const BROWSER_TYPES = [
  'HTMLCanvasElement',
  'HTMLVideoElement',
  'HTMLImageElement',
  'HTMLSourceElement',
  'ImageData',
  'ImageBitmap',
  'WebGLTexture',
  'WebGLContextAttributes',
  'GPUBuffer',
  'GPUDevice',
  'RequestInit',
  'Response',
  'Navigator',
  'File',
  'Long',
];

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '..', 'vendor');
const require = createRequire(import.meta.url);
await mkdir(out, { recursive: true });

const { metafile } = await build({
  metafile: true,
  stdin: {
    resolveDir: join(here, '..'),
    contents: [
      "export * from '@tensorflow/tfjs-core';",
      "import '@tensorflow/tfjs-core/dist/register_all_gradients';",
      // The gradients of prod and gather call these as methods of tensors.
      ...['reshape', 'slice', 'split'].map(
        (op) => `import '@tensorflow/tfjs-core/dist/public/chained_ops/${op}';`,
      ),
      "export { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';",
      "export { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';",
    ].join('\n'),
  },
  outfile: join(out, 'tfjs.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  minify: true,
  lineLimit: 160,
  // webpack says that a page has __filename, and then its worker has none.
  define: { __dirname: '"/"', __filename: 'undefined' },
  target: 'es2022',
  external: [
    'fs',
    'path',
    'util',
    'crypto',
    'worker_threads',
    'perf_hooks',
    'os',
    'node-fetch',
    'string_decoder',
    'buffer',
    'stream',
    'node:*',
  ],
  // TensorFlow.js asks Node for built-in modules with `require`, which ES modules do not have.
  banner: { js: 'const require = (id) => globalThis.process.getBuiltinModule(id);' },
  logLevel: 'warning',
});
// One self-contained declaration file, so that users need neither TensorFlow.js nor its browser type packages.
const entry = join(out, 'entry.d.mts');
await writeFile(
  entry,
  [
    "export * from '@tensorflow/tfjs-core';",
    "export { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';",
    "export { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';",
  ].join('\n'),
);
const bundle = await rollup({ input: entry, plugins: [dts({ respectExternal: true })], onwarn: () => {} });
const { output } = await bundle.generate({ format: 'es' });
await rm(entry);
const browserTypes = BROWSER_TYPES.map((name) => `type ${name} = unknown;`).join('\n');
const declarations = output[0].code
  .replace(/^\/\/\/ <reference.*$/gm, '')
  .replace(/ReadableStream<[^>]*>/g, 'unknown')
  .replaceAll('typeof fetch;', '(...args: unknown[]) => Promise<unknown>;');
await writeFile(join(out, 'tfjs.d.mts'), `${browserTypes}\n${declarations}\n`);

const file = 'tfjs-backend-wasm-simd.wasm';
const wasmFolder = join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'wasm-out');
await cp(join(wasmFolder, file), join(out, file));

// The licences of what is carried along ask to be carried along too.
const carried = new Set(
  Object.keys(metafile.inputs).flatMap(
    (path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  ),
);
const notices = [...carried].sort().map((folder) => {
  const { name, version, license, homepage, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const text = license !== 'Apache-2.0' && readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const source = homepage ?? repository?.url ?? repository ?? '';
  return [
    `${name} ${version}, ${license}`,
    source,
    ...(text ? ['', readFileSync(join(folder, text), 'utf8').trim()] : []),
  ].join('\n');
});
if (notices.length === 0 || !existsSync(join(here, '..', 'LICENSE')))
  throw new Error('No notices were found.');
await writeFile(
  join(out, 'third-party.txt'),
  `This package carries these packages along; the text of Apache-2.0 stands in LICENSE.\n\n${notices.join('\n\n')}\n`,
);

import { cp } from 'node:fs/promises';
import { packageBuild } from '../../tsup.base.js';

const binary = 'tfjs-backend-wasm-simd.wasm';

export default packageBuild({
  entry: {
    index: 'src/index.ts',
    // Files of their own, between which `#platform` chooses at the user's: see the package's "imports".
    'platform-node': 'src/platform/node.ts',
    'platform-browser': 'src/platform/browser.ts',
  },
  dts: { entry: { index: 'src/index.ts' } },
  external: ['#platform', 'onnxruntime-node', 'onnxruntime-web', 'onnxruntime-common'],
  esbuildOptions(options, { format }) {
    if (format !== 'cjs') return;
    // CommonJS has no `import.meta`: Node's file asks for its own name, and in a page its address has to do. No shims, which
    // would bring modules of Node.js into every file.
    options.define = { ...options.define, 'import.meta.url': 'globalThis.location.href' };
  },
  onSuccess: async () => {
    for (const file of [binary, 'third-party.txt']) await cp(`vendor/${file}`, `dist/${file}`);
  },
});

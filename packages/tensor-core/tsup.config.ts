import { cp } from 'node:fs/promises';
import { packageBuild } from '../../tsup.base.js';

export default packageBuild({
  dts: true,
  shims: true,
  external: ['onnxruntime-node', 'onnxruntime-web', 'onnxruntime-common'],
  onSuccess: async () => {
    for (const file of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm'])
      await cp(`vendor/${file}`, `dist/${file}`);
  },
});

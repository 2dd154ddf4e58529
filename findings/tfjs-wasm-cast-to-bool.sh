#!/usr/bin/env bash
# @tensorflow/tfjs-backend-wasm 4.22.0: cast to bool keeps the low byte of the truncated number instead of asking whether it is 0. The
# cpu backend gives 1 for all but 0. On wasm 0.4, NaN and 256 become false, 2 becomes a "true" of value 2, which counts double in
# a sum and whose logical negation is 3, so that a mask and its negation are both true. Masks made of weights, counts or lengths drop
# positions on one backend and not on the other. Nothing raises or warns.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-wasm-cast-to-bool.sh [version]
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
version="${1:-4.22.0}"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@tensorflow/tfjs-core@$version" "@tensorflow/tfjs-backend-cpu@$version" "@tensorflow/tfjs-backend-wasm@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const { setWasmPaths } = require('@tensorflow/tfjs-backend-wasm');
setWasmPaths(require('node:path').join(__dirname, 'node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/'));
const numbers = [0.4, 2, 256, NaN, 0];
const described = {
  cpu: { mask: [1, 1, 1, 1, 0], where: [1, 1, 1, 1, 0], not: [0, 0, 0, 0, 1], sum: [4] },
  wasm: { mask: [0, 2, 0, 0, 0], where: [0, 1, 0, 0, 0], not: [1, 3, 1, 1, 1], sum: [2] },
};
(async () => {
  const seen = {};
  for (const backend of ['cpu', 'wasm']) {
    await tf.setBackend(backend);
    const mask = tf.cast(tf.tensor1d(numbers), 'bool');
    const tensors = { mask, where: tf.where(mask, tf.ones([5]), tf.zeros([5])), not: tf.logicalNot(mask), sum: tf.sum(mask) };
    seen[backend] = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, [...tensor.dataSync()]]));
    console.log(`${backend} ${tf.version_core}: ${numbers} cast to bool: ${JSON.stringify(seen[backend])}`);
  }
  process.exit(JSON.stringify(seen) === JSON.stringify(described) ? 0 : 1);
})();
JS
node run.cjs

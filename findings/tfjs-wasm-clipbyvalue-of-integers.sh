#!/usr/bin/env bash
# @tensorflow/tfjs-backend-wasm: clipByValue takes the bits of int32 for float32 and turns NaN into the lower bound.
# Expected (as on the cpu backend): [-9, 0, 9] clipped to [-3, 5] is [-3, 0, 5], and NaN stays NaN.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-wasm-clipbyvalue-of-integers.sh [version]
set -euo pipefail
version="${1:-4.22.0}"
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@tensorflow/tfjs-core@$version" "@tensorflow/tfjs-backend-cpu@$version" "@tensorflow/tfjs-backend-wasm@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
const tf = require('@tensorflow/tfjs-core');
function finish(checks) {
  for (const [what, holds] of checks) console.log(`${holds ? 'as described' : 'CHANGED'}: ${what}`);
  process.exit(checks.every(([, holds]) => holds) ? 0 : 1);
}
require('@tensorflow/tfjs-backend-cpu');
const { setWasmPaths } = require('@tensorflow/tfjs-backend-wasm');
setWasmPaths(require('node:path').join(__dirname, 'node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/'));
(async () => {
  const results = {};
  for (const backend of ['cpu', 'wasm']) {
    await tf.setBackend(backend);
    const whole = [...tf.clipByValue(tf.tensor1d([-9, 0, 9], 'int32'), -3, 5).dataSync()];
    const odd = tf.clipByValue(tf.tensor1d([NaN]), -3, 5).dataSync()[0];
    results[backend] = { whole, odd };
    console.log(`${backend} ${tf.version_core}: [-9, 0, 9] becomes [${whole.join(', ')}], NaN becomes ${odd}`);
  }
  finish([
    ['cpu clips integers and keeps NaN', results.cpu.whole.join() === '-3,0,5' && Number.isNaN(results.cpu.odd)],
    ['wasm does not clip integers to [-3, 5]', results.wasm.whole.join() !== '-3,0,5'],
    ['wasm makes a number of NaN', results.wasm.odd === -3],
  ]);
})();
JS
node run.cjs

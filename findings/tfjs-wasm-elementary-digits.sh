#!/usr/bin/env bash
# @tensorflow/tfjs-backend-wasm: log1p and selu lose all digits near zero, sin and cos those of small and huge arguments.
# Expected: log1p(2e-9) = 2e-9, sin(-1e-6) = -1e-6, selu(-1e-9) = -1.758e-9, sin(1e22) = -0.734 (of the nearest float32).
# Observed: 0, -7.8e-7 (22 % off), 0 and 0.949. Up to 1e10, sines have their digits.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-wasm-elementary-digits.sh [version]
set -euo pipefail
version="${1:-4.22.0}"
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@tensorflow/tfjs-core@$version" "@tensorflow/tfjs-backend-wasm@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
const tf = require('@tensorflow/tfjs-core');
function finish(checks) {
  for (const [what, holds] of checks) console.log(`${holds ? 'as described' : 'CHANGED'}: ${what}`);
  process.exit(checks.every(([, holds]) => holds) ? 0 : 1);
}
const { setWasmPaths } = require('@tensorflow/tfjs-backend-wasm');
setWasmPaths(require('node:path').join(__dirname, 'node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/'));
(async () => {
  await tf.setBackend('wasm');
  const value = (op, x) => op(tf.tensor1d([x])).dataSync()[0];
  const [log1p, sin, selu, large] = [value(tf.log1p, 2e-9), value(tf.sin, -1e-6), value(tf.selu, -1e-9), value(tf.sin, 1e22)];
  console.log(`tfjs-backend-wasm ${tf.version_core}: log1p(2e-9) = ${log1p}, sin(-1e-6) = ${sin}, selu(-1e-9) = ${selu}, sin(1e22) = ${large}`);
  finish([
    ['log1p(2e-9) is 0', log1p === 0],
    ['sin(-1e-6) is off by more than 10 %', Math.abs(sin / -1e-6 - 1) > 0.1],
    ['selu(-1e-9) is 0', Math.abs(selu) === 0],
    ['sin(1e22) is wrong', Math.abs(large - Math.sin(Math.fround(1e22))) > 0.01],
  ]);
})();
JS
node run.cjs

#!/usr/bin/env bash
# @tensorflow/tfjs-backend-cpu: abs of int32 goes through float32, cumsum adds each float32 to the float32 before it, and erf
# is a polynomial with 7 absolute digits.
# Expected: |-1000000007| = 1000000007; a running sum of 2^24 + 64 ones ends at 2^24 + 64; erf(1e-12) = 1.1284e-12.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-cpu-float32-integers.sh [version]
set -euo pipefail
version="${1:-4.22.0}"
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@tensorflow/tfjs-core@$version" "@tensorflow/tfjs-backend-cpu@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
const tf = require('@tensorflow/tfjs-core');
function finish(checks) {
  for (const [what, holds] of checks) console.log(`${holds ? 'as described' : 'CHANGED'}: ${what}`);
  process.exit(checks.every(([, holds]) => holds) ? 0 : 1);
}
require('@tensorflow/tfjs-backend-cpu');
(async () => {
  await tf.setBackend('cpu');
  const abs = tf.abs(tf.tensor1d([-1000000007], 'int32')).dataSync()[0];
  const count = 2 ** 24 + 64;
  const running = tf.cumsum(tf.ones([count])).dataSync()[count - 1];
  const erf = tf.erf(tf.tensor1d([1e-12])).dataSync()[0];
  console.log(`tfjs-backend-cpu ${tf.version_core}: |-1000000007| = ${abs}, last running sum of 2^24 + 64 ones ${running}, erf(1e-12) = ${erf}`);
  finish([
    ['abs loses digits of int32', abs !== 1000000007],
    ['cumsum stands still at 2^24', running === 2 ** 24],
    ['erf(1e-12) is a thousand times too large', erf > 1e-9 / 2],
  ]);
})();
JS
node run.cjs

#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: tf.logSumExp of a row whose elements are all -Infinity is NaN, and so is that of a row with
# +Infinity. The sum of no probability is 0 and its logarithm -Infinity: TensorFlow, PyTorch, JAX and SciPy say so, and forward
# algorithms (CTC, HMM, mixtures, masked memories) start with such rows. One impossible state makes the whole likelihood NaN.
# tf.softplus and tf.log of the same package carry infinities through. Expected: -Infinity, Infinity. Observed: NaN, NaN.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-logsumexp-of-infinities.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

(async () => {
  await tf.setBackend('cpu');
  const seen = [[-Infinity, -Infinity], [Infinity, 1], [-Infinity, 1]].map((row) => tf.logSumExp(tf.tensor1d(row)).dataSync()[0]);
  const direct = tf.log(tf.sum(tf.exp(tf.tensor1d([-Infinity, -Infinity])))).dataSync()[0];
  // Two steps of a forward algorithm over three states, the last of which cannot be reached.
  const start = tf.tensor1d([0, -Infinity, -Infinity]);
  const moves = tf.tensor2d([[-0.7, -0.7, -Infinity], [-0.7, -0.7, -Infinity], [-Infinity, -Infinity, 0]]);
  const forward = (state) => tf.logSumExp(tf.add(tf.expandDims(state, 1), moves), 0);
  const likelihood = tf.logSumExp(forward(forward(start))).dataSync()[0];
  console.log(`logSumExp of [-Infinity, -Infinity] ${seen[0]} (log of the sum of exp: ${direct}), of [Infinity, 1] ${seen[1]}, of [-Infinity, 1] ${seen[2]}`);
  console.log(`log likelihood after two steps ${likelihood}, expected ${(2 * Math.log(2 * Math.exp(-0.7))).toFixed(4)}`);
  process.exitCode = Number.isNaN(seen[0]) && Number.isNaN(seen[1]) && seen[2] === 1 && direct === -Infinity && Number.isNaN(likelihood) ? 0 : 1;
})();
JS
node run.cjs

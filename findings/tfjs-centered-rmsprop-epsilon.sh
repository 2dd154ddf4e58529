#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: tf.train.rmsprop with `centered` subtracts epsilon from the variance under the root, where it should
# be added (TensorFlow, Keras, Graves 2013). Every weight whose gradient is small against the root of epsilon becomes NaN in the
# first step, and with it the model; the epsilon that is there to prevent that brings it about, and a larger one makes it worse.
# Without `centered` epsilon is added. Expected: a step of 0.0032 for a gradient of 1e-5. Observed: NaN.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-centered-rmsprop-epsilon.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

const [rate, decay, epsilon] = [0.1, 0.9, 1e-7];
const gradients = [1, 0.01, 1e-3, 1e-5];
function step(centered) {
  const weights = tf.variable(tf.zeros([gradients.length]));
  const optimizer = tf.train.rmsprop(rate, decay, 0, epsilon, centered);
  optimizer.minimize(() => tf.sum(tf.mul(weights, tf.tensor1d(gradients))), false, [weights]);
  return Array.from(weights.dataSync(), (value) => -value);
}
const expected = gradients.map((gradient) => {
  const [square, mean] = [(1 - decay) * gradient ** 2, (1 - decay) * gradient];
  return (rate * gradient) / Math.sqrt(square - mean ** 2 + epsilon);
});
(async () => {
  await tf.setBackend('cpu');
  const [plain, centered] = [step(false), step(true)];
  gradients.forEach((gradient, i) => console.log(`gradient ${gradient}: step ${centered[i].toPrecision(5)}, by the formula ${expected[i].toPrecision(5)}; not centered ${plain[i].toPrecision(5)}`));
  process.exitCode = centered.slice(2).every(Number.isNaN) && plain.every(Number.isFinite) && centered[1] > expected[1] * 1.005 ? 0 : 1;
})();
JS
node run.cjs

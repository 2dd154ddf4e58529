#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: the gradient of cumsum over any axis but the last comes out with its axes permuted. Where the axes
# are of equal length that is a wrong gradient of the right shape, silently; otherwise it is an error. The gradient of mirrorPad
# forgets the mirrored copies: it is 1 for an element that the result holds three times. Forward values are right. Linear
# attentions and state-space models in [batch, time, features] sum over time, an inner axis. Expected (differences of the
# function): [[11, 22], [10, 20]] and [1, 3, 2]. Observed: [[11, 10], [22, 20]] and [1, 1, 1].
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-gradients-of-cumsum-and-mirror-pad.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

const weights = tf.tensor2d([[1, 2], [10, 20]]);
const functions = {
  'cumsum over axis 0 of [2, 2]': [(x) => tf.sum(tf.mul(tf.cumsum(tf.reshape(x, [2, 2]), 0), weights)), [1, 2, 3, 4]],
  'cumsum over axis 1 of [1, 2, 2]': [(x) => tf.sum(tf.mul(tf.cumsum(tf.reshape(x, [1, 2, 2]), 1), tf.reshape(weights, [1, 2, 2]))), [1, 2, 3, 4]],
  'cumsum over axis 1 of [2, 2]': [(x) => tf.sum(tf.mul(tf.cumsum(tf.reshape(x, [2, 2]), 1), weights)), [1, 2, 3, 4]],
  'mirrorPad of 3 elements by 2 and 1': [(x) => tf.sum(tf.mirrorPad(x, [[2, 1]], 'reflect')), [1, 2, 3]],
};
(async () => {
  await tf.setBackend('cpu');
  const wrong = [];
  for (const [name, [f, values]] of Object.entries(functions)) {
    const value = (x) => f(tf.tensor1d(x)).dataSync()[0];
    // All of these are linear, so that a difference of 1 is exact.
    const exact = values.map((_, i) => value(values.map((x, j) => x + (i === j ? 1 : 0))) - value(values));
    const gradient = Array.from(tf.grad(f)(tf.tensor1d(values)).dataSync());
    console.log(`${name}: gradient ${gradient.join(', ')}; by differences ${exact.join(', ')}`);
    wrong.push(gradient.some((slope, i) => slope !== exact[i]));
  }
  process.exitCode = JSON.stringify(wrong) === '[true,true,false,true]' ? 0 : 1;
})();
JS
node run.cjs

#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: tf.train.adadelta takes the steps of tf.train.sgd with the same rate, whatever rho and epsilon are.
# It divides by the average of squared gradients as it was BEFORE the step, and so both averages stay equal and cancel. The
# method (Zeiler, 2012; the optimiser of Keras 3.15 likewise) takes the present gradient in first, so that steps do not depend
# on the scale of gradients: the first one has a length of about rate * sqrt(epsilon / (1 - rho)). Expected: other weights than
# those of sgd. Observed: the same to the last float32 digits after 100 noisy steps, for three rho.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-adadelta-is-gradient-descent.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

const target = (step) => tf.randomNormal([3], 0, 5, 'float32', step);
function train(optimizer) {
  const weights = tf.variable(tf.tensor1d([1, 2, 3]));
  for (let step = 0; step < 100; step++) {
    const towards = target(step);
    optimizer.minimize(() => tf.sum(tf.square(tf.sub(weights, towards))), false, [weights]);
  }
  return weights.dataSync();
}
// What the paper prescribes, in float64.
function adadelta(rate, rho, epsilon) {
  const weights = [1, 2, 3];
  const [squares, updates] = [[0, 0, 0], [0, 0, 0]];
  for (let step = 0; step < 100; step++) {
    const towards = target(step).dataSync();
    for (let i = 0; i < 3; i++) {
      const gradient = 2 * (weights[i] - towards[i]);
      squares[i] = rho * squares[i] + (1 - rho) * gradient ** 2;
      const update = (Math.sqrt(updates[i] + epsilon) / Math.sqrt(squares[i] + epsilon)) * gradient;
      updates[i] = rho * updates[i] + (1 - rho) * update ** 2;
      weights[i] -= rate * update;
    }
  }
  return weights;
}
(async () => {
  await tf.setBackend('cpu');
  const print = (values) => Array.from(values, (value) => value.toFixed(5)).join(' ');
  const sgd = train(tf.train.sgd(0.05));
  console.log(`sgd                 ${print(sgd)}`);
  process.exitCode = 0;
  for (const rho of [0.5, 0.95, 0.999]) {
    const seen = train(tf.train.adadelta(0.05, rho, 1e-6));
    const paper = adadelta(0.05, rho, 1e-6);
    console.log(`adadelta, rho ${rho}: ${print(seen)}, by the paper ${print(paper)}`);
    const same = seen.every((value, i) => Math.abs(value - sgd[i]) < 1e-4);
    if (!same || paper.every((value, i) => Math.abs(value - sgd[i]) < 0.01)) process.exitCode = 1;
  }
})();
JS
node run.cjs

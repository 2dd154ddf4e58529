#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: the functions of tf.losses divide by the number of weights that are not 0 (the default reduction) or
# by their sum (MEAN), also when there are none: a batch that is padding from end to end has the loss NaN, and its gradients
# make all weights NaN. tf.compat.v1.losses, whose names, arguments and reductions these functions take over, divides without
# NaN there and gives 0. Expected: 0, and gradients of 0. Observed: NaN.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-losses-without-a-counted-row.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

(async () => {
  await tf.setBackend('cpu');
  const [labels, none] = [tf.tensor1d([0, 1]), tf.tensor1d([0, 0])];
  const predictions = tf.tensor1d([0.5, 0.5]);
  const names = ['meanSquaredError', 'absoluteDifference', 'hingeLoss'];
  const loss = (name, ...reduction) => tf.losses[name](labels, predictions, none, ...reduction).dataSync()[0];
  const seen = names.flatMap((name) => [loss(name), loss(name, tf.Reduction.MEAN)]);
  names.forEach((name, i) => console.log(`${name} of a batch without weight: ${seen[2 * i]}, with the reduction MEAN ${seen[2 * i + 1]}`));
  const weight = tf.variable(tf.scalar(2));
  tf.train.sgd(0.1).minimize(() => tf.losses.meanSquaredError(labels, tf.mul(weight, predictions), none), false, [weight]);
  console.log(`a weight of 2 after one step on that batch: ${weight.dataSync()[0]}`);
  process.exitCode = seen.every(Number.isNaN) && Number.isNaN(weight.dataSync()[0]) ? 0 : 1;
})();
JS
node run.cjs

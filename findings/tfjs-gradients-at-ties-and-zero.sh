#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: the gradient of max and min gives every tied element the whole gradient, so that the gradients of one
# maximum add up to 3 when three elements share it (TensorFlow, PyTorch's amax and JAX divide it among them); pooled features
# after a relu tie at 0 all the time. The gradient of abs at 0 is -1, where TensorFlow and PyTorch give 0: an L1 penalty pushes
# every weight that is exactly 0 (pruned, or started there) away from it. Both are silent. Expected: [0, 1/3, 1/3, 1/3] and 0.
# Observed: [0, 1, 1, 1] and -1.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-gradients-at-ties-and-zero.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

(async () => {
  await tf.setBackend('cpu');
  const gradient = (f, x) => Array.from(tf.grad(f)(tf.tensor1d(x)).dataSync());
  const seen = {
    'max of [1, 3, 3, 3]': gradient((x) => tf.max(x), [1, 3, 3, 3]),
    'min of [1, 1, 3]': gradient((x) => tf.min(x), [1, 1, 3]),
    'sum of abs at [-2, 0, 2]': gradient((x) => tf.sum(tf.abs(x)), [-2, 0, 2]),
  };
  // A pruned weight under an L1 penalty alone walks off.
  const weight = tf.variable(tf.tensor1d([0]));
  tf.train.sgd(0.1).minimize(() => tf.sum(tf.abs(weight)), false, [weight]);
  seen['a weight of 0 after one step with an L1 penalty'] = [Number(weight.dataSync()[0].toFixed(3))];
  for (const [name, values] of Object.entries(seen)) console.log(`${name}: ${values.join(', ')}`);
  process.exitCode = JSON.stringify(Object.values(seen)) === '[[0,1,1,1],[1,1,0],[-1,-1,1],[0.1]]' ? 0 : 1;
})();
JS
node run.cjs

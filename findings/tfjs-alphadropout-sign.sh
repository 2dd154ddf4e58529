#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: tf.layers.alphaDropout sets dropped features to +1.758 where the method (Klambauer et al., 2017; the
# layer of Keras) sets them to -1.758, the value that selu saturates at. The layer is there to keep a mean of 0 and a variance
# of 1; its documentation promises that. On standard normal input the mean is 0.32 at a rate of 0.1 and 1.56 at a rate of 0.5,
# in training only, so that the network is trained on other activations than it is used with. Expected: 0. Observed: as said,
# and no warning.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-alphadropout-sign.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

(async () => {
  await tf.setBackend('cpu');
  const input = tf.randomNormal([300, 300], 0, 1, 'float32', 7);
  process.exitCode = 0;
  for (const rate of [0.1, 0.5]) {
    const dropped = tf.layers.alphaDropout({ rate }).apply(input, { training: true });
    const { mean, variance } = tf.moments(dropped);
    const value = -1.7580993408473766;
    // The affine map a x + b of the paper, for features that become `value` with probability `rate`.
    const a = ((1 - rate) * (1 + rate * value ** 2)) ** -0.5;
        const seen = mean.dataSync()[0];
    console.log(`rate ${rate}: mean ${seen.toFixed(3)}, variance ${variance.dataSync()[0].toFixed(3)} (0 and 1 are promised); with dropped features at +1.758: ${(-2 * a * rate * value).toFixed(3)}`);
    if (Math.abs(seen - -2 * a * rate * value) > 0.02) process.exitCode = 1;
  }
})();
JS
node run.cjs

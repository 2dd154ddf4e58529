#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: tf.layers.dropout with a `seed` draws the same mask in every call, and tf.dropout likewise: the
# features that are dropped in the first step are dropped in all steps and never trained. A seed there makes a run repeatable in
# Keras 3 (a stream per layer) and in tf.layers.gaussianNoise with its `seed` beside it, where each call draws anew. Training
# with a seed and without one are two methods. Expected: about every feature seen in 50 steps. Observed: half of them never.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-dropout-with-a-seed-repeats-its-mask.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

(async () => {
  await tf.setBackend('cpu');
  const ones = tf.ones([1, 64]);
  const seen = (draw) => {
    let kept = tf.zeros([1, 64]);
    for (let step = 0; step < 50; step++) kept = tf.maximum(kept, tf.cast(tf.greater(draw(step), 0), 'float32'));
    return tf.sum(kept).dataSync()[0];
  };
  const layer = (options) => { const dropout = tf.layers.dropout({ rate: 0.5, ...options }); return () => dropout.apply(ones, { training: true }); };
  const noise = tf.layers.gaussianNoise({ stddev: 1, seed: 3 });
  const counts = {
    'layers.dropout with a seed': seen(layer({ seed: 3 })),
    'tf.dropout with a seed': seen(() => tf.dropout(ones, 0.5, undefined, 3)),
    'layers.dropout without a seed': seen(layer({})),
    'layers.gaussianNoise with a seed (above 1)': seen(() => tf.sub(noise.apply(ones, { training: true }), 1)),
  };
  for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count} of 64 features seen in 50 steps`);
  const [first, second, third, fourth] = Object.values(counts);
  process.exitCode = first < 45 && second < 45 && third === 64 && fourth > 60 ? 0 : 1;
})();
JS
node run.cjs

#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: the metrics tf.metrics.precision and tf.metrics.recall count a prediction only when it equals 1
# exactly. A model that ends in a sigmoid never gives that, and reports a precision and a recall of 0 in every epoch, however
# good it is; the same metrics of Keras cut at 0.5, as 'accuracy' does here in the same list. Where float32 rounds a prediction
# up to 1, that row alone is counted. Expected: 1 and 1 beside an accuracy of 1. Observed: 0 and 0, without a warning.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-precision-and-recall-of-probabilities.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

(async () => {
  await tf.setBackend('cpu');
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: 1, inputShape: [1], activation: 'sigmoid', weights: [tf.tensor2d([[4]]), tf.tensor1d([0])] }));
  model.compile({ optimizer: 'sgd', loss: 'binaryCrossentropy', metrics: ['accuracy', tf.metrics.precision, tf.metrics.recall] });
  const x = tf.tensor2d([[-1], [-1], [1], [1]]);
  const y = tf.tensor2d([[0], [0], [1], [1]]);
  const [loss, ...values] = model.evaluate(x, y).map((value) => value.dataSync()[0]);
  console.log(`predictions ${Array.from(model.predict(x).dataSync(), (value) => value.toFixed(3)).join(' ')}, labels 0 0 1 1`);
  console.log(`loss ${loss.toFixed(4)}, accuracy ${values[0]}, precision ${values[1]}, recall ${values[2]}`);
  process.exitCode = JSON.stringify(values) === '[1,0,0]' ? 0 : 1;
})();
JS
node run.cjs

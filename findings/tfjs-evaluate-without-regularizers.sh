#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0 (npm): the loss of a layers model is another one in training than in evaluation when weights are regularised.
# What fit reports as `loss` has the penalties in it; evaluate, and with it `val_loss` of the same epoch, has not, where Keras adds them
# in both. A gap between the two curves that looks like the opposite of overfitting is the penalty. Expected: with weights that
# stay as they are and inputs of zero, both are the penalty, 0.1 · 2. Observed: fit 0.2, val_loss and evaluate 0.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/tfjs-evaluate-without-regularizers.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --silent --no-audit --no-fund @tensorflow/tfjs@4.22.0; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const layer = tf.layers.dense({
  ...{ units: 1, inputShape: [2], useBias: false, kernelInitializer: 'ones' },
  kernelRegularizer: tf.regularizers.l1({ l1: 0.1 }),
});
const model = tf.sequential({ layers: [layer] });
model.compile({ loss: 'meanSquaredError', optimizer: tf.train.sgd(0) });
const [x, y] = [tf.zeros([4, 2]), tf.zeros([4, 1])];
const { history } = await model.fit(x, y, { epochs: 1, validationData: [x, y], verbose: 0 });
const evaluated = model.evaluate(x, y).dataSync()[0];
console.log(`fit: loss ${history.loss[0]}, val_loss ${history.val_loss[0]}; evaluate ${evaluated}; the penalty is 0.2`);
process.exit(Math.abs(history.loss[0] - 0.2) < 1e-6 && history.val_loss[0] === 0 && evaluated === 0 ? 0 : 1);
JS
node run.mjs 2>&1 | grep -v -e '^$' -e '=====' -e 'Hi, looks'

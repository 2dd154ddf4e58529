#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0 (npm): tf.layers.globalAveragePooling1d drops the mask of an embedding with maskZero (or of tf.layers.masking)
# without a word, and averages the padding too; Keras' layer of the same name averages what is not masked, and recurrent layers of
# tfjs do heed it. The embedding of a text then depends on how far its batch was padded, by the vector of id 0. Expected: the mean
# of the two tokens, [2, 3], however many zeros follow. Observed: [51, 51.5] with two zeros, whose vector is [100, 100].
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/tfjs-average-pooling-counts-padding.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --silent --no-audit --no-fund @tensorflow/tfjs@4.22.0; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const table = [[100, 100], [1, 2], [3, 4]];
const embedding = () => tf.layers.embedding({ inputDim: 3, outputDim: 2, maskZero: true, weights: [tf.tensor2d(table)], inputShape: [null] });
const pooled = tf.sequential({ layers: [embedding(), tf.layers.globalAveragePooling1d({})] });
const summed = tf.sequential({
  layers: [
    embedding(),
    tf.layers.simpleRNN({ units: 2, activation: 'linear', kernelInitializer: 'identity', recurrentInitializer: 'identity' }),
  ],
});
const of = (model, ids) => model.predict(tf.tensor2d([ids])).arraySync()[0];
const [alone, padded] = [of(pooled, [1, 2]), of(pooled, [1, 2, 0, 0])];
const [sum, paddedSum] = [of(summed, [1, 2]), of(summed, [1, 2, 0, 0])];
console.log(`average ${alone}, with two zeros behind ${padded}; a recurrent sum ${sum}, with two zeros behind ${paddedSum}`);
process.exit(`${alone}` === '2,3' && `${padded}` === '51,51.5' && `${sum}` === `${paddedSum}` ? 0 : 1);
JS
node run.mjs 2>&1 | grep -v -e '^$' -e '=====' -e 'Hi, looks'

#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0: tf.randomUniform(shape, low, high, 'int32') and tf.randomUniformInt draw a real number and cut its
# fraction off, towards 0. With a negative lower bound, 0 is drawn twice as often as any other number and the lower bound never:
# random shifts from -3 to 2 lean to one side and keep still too often. The documentation says [low, high), evenly. Expected:
# 10000 of each of the six numbers. Observed: about 20000 zeros and no -3.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/tfjs-uniform-integers-around-zero.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
console.warn = () => {}; // an advertisement for another package
const tf = require('@tensorflow/tfjs');

const count = (tensor) => tensor.dataSync().reduce((counts, value) => { counts[value + 3]++; return counts; }, new Array(6).fill(0));
(async () => {
  await tf.setBackend('cpu');
  const rows = {
    randomUniform: count(tf.randomUniform([60000], -3, 3, 'int32', 11)),
    'randomUniform without a seed': count(tf.randomUniform([60000], -3, 3, 'int32')),
    randomUniformInt: count(tf.randomUniformInt([60000], -3, 3, 11)),
  };
  for (const [name, counts] of Object.entries(rows)) console.log(`${name}: ${counts.map((number, i) => `${i - 3}: ${number}`).join(', ')}`);
  process.exitCode = Object.values(rows).every((counts) => counts[0] === 0 && counts[3] > 18000 && counts[4] < 11000) ? 0 : 1;
})();
JS
node run.cjs

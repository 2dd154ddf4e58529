#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0 (npm): tf.randomGamma takes its third argument, documented as the inverse scale (the rate), for the scale:
# draws are multiplied by beta and not divided. tf.random.gamma of TensorFlow for Python takes a rate under the same name. At the
# default of 1 nobody sees it; a Dirichlet of normalised draws with one rate does not depend on it either. Expected of shape 3 and rate 2: mean
# 1.5, variance 0.75. Observed: mean 6, variance 12, as of shape 3 and scale 2.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/tfjs-gamma-rate-is-a-scale.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --silent --no-audit --no-fund @tensorflow/tfjs@4.22.0; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const draws = tf.randomGamma([40000], 3, 2, 'float32', 7);
const [mean, variance] = Object.values(tf.moments(draws)).map((moment) => moment.dataSync()[0]);
console.log(`shape 3, beta 2: mean ${mean.toFixed(3)}, variance ${variance.toFixed(3)}; as a rate 1.5 and 0.75, as a scale 6 and 12`);
process.exit(Math.abs(mean - 6) < 0.2 && Math.abs(variance - 12) < 0.8 ? 0 : 1);
JS
node run.mjs 2>&1 | grep -v -e '^$' -e '=====' -e 'Hi, looks' 

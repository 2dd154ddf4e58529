#!/usr/bin/env bash
# ml-distance 5.0.0: distance.jensenShannon is NaN as soon as one of the two distributions has a 0 anywhere, also for two equal
# ones. The divergence was made (Lin, 1991) to be finite there, as 0 log 0 is 0; it never exceeds log 2, and SciPy's
# jensenshannon gives that. The same holds for topsoe, jensenDifference, kdivergence and, against the definition, for
# kullbackLeibler where only the first distribution is 0. Next-token distributions and histograms always have empty bins.
# Nothing warns. Expected: 0.0338, 0.2158, 0. Observed: NaN, NaN, NaN.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/ml-distance-divergences-of-empty-bins.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts ml-distance@5.0.0 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { distance } from 'ml-distance';
const divergence = (p, q) => p.reduce((sum, value, i) => (value === 0 ? sum : sum + value * Math.log(value / q[i])), 0);
const jensenShannon = (p, q) => {
  const middle = p.map((value, i) => (value + q[i]) / 2);
  return (divergence(p, middle) + divergence(q, middle)) / 2;
};
const pairs = [
  [[0.5, 0.5], [0.25, 0.75]],
  [[0.5, 0.5, 0], [0.25, 0.75, 0]],
  [[0.5, 0.5, 0], [0.25, 0.25, 0.5]],
  [[0.5, 0.5, 0], [0.5, 0.5, 0]],
];
const names = ['jensenShannon', 'jensenDifference', 'topsoe', 'kdivergence'];
const seen = pairs.map(([p, q]) => {
  const values = names.map((name) => distance[name](p, q));
  console.log(`[${p}] and [${q}]: by definition ${jensenShannon(p, q).toFixed(4)}; ${names.map((name, i) => `${name} ${values[i].toFixed(4)}`).join(', ')}`);
  return values;
});
const leibler = [distance.kullbackLeibler([0.5, 0.5, 0], [0.25, 0.25, 0.5]), divergence([0.5, 0.5, 0], [0.25, 0.25, 0.5])];
console.log(`kullbackLeibler of [0.5, 0.5, 0] from [0.25, 0.25, 0.5]: ${leibler[0]}, by definition ${leibler[1].toFixed(4)}`);
const right = Math.abs(seen[0][0] - jensenShannon(...pairs[0])) < 1e-12;
process.exitCode = right && seen.slice(1).flat().every(Number.isNaN) && Number.isNaN(leibler[0]) ? 0 : 1;
JS
node run.mjs

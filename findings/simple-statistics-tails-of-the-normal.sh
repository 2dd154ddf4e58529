#!/usr/bin/env bash
# simple-statistics 7.12.1: cumulativeStdNormalProbability looks into a table of four digits that ends at 3.09 and answers 0.999
# for all that is beyond: no two-sided p-value is ever below 0.002, so that nothing is significant after a correction for 50
# comparisons, and z = 3.2 and z = 8 are one. probit, its inverse, is off in the third digit: 1.957 for the 1.960 of every 95 %
# interval. errorFunction is off by 0.3 % near 0. The values of erf, Phi and their inverse are known to 15 digits. Nothing
# warns. Expected and observed stand side by side.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/simple-statistics-tails-of-the-normal.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts simple-statistics@7.12.1 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { cumulativeStdNormalProbability, errorFunction, probit } from 'simple-statistics';
// To ten digits, from SciPy 1.17 (special.ndtr, ndtri, erf).
const rows = [
  ['1 - Phi(3.2)', 1 - cumulativeStdNormalProbability(3.2), 0.0006871379379],
  ['1 - Phi(5)', 1 - cumulativeStdNormalProbability(5), 2.866515719e-7],
  ['1 - Phi(8)', 1 - cumulativeStdNormalProbability(8), 6.220960574e-16],
  ['probit(0.975)', probit(0.975), 1.959963985],
  ['probit(0.999999)', probit(0.999999), 4.753424309],
  ['errorFunction(0.00001)', errorFunction(1e-5), 1.128379167e-5],
];
const off = rows.map(([name, seen, expected]) => {
  console.log(`${name}: ${seen.toPrecision(6)}, expected ${expected.toPrecision(6)}`);
  return Math.abs(seen / expected - 1);
});
process.exitCode = off[0] > 0.3 && off[1] > 1000 && off[2] > 1e6 && off[3] > 0.001 && off[5] > 0.002 ? 0 : 1;
JS
node run.mjs

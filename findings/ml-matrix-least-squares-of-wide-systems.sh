#!/usr/bin/env bash
# ml-matrix 6.15.1: solve(A, B, true), the least-squares solution by singular values, is NaN in every place when A has more
# columns than rows, and gives the right answer for all other shapes. The same library's pseudoInverse(A) times B is the
# solution of least norm, and `new SVD(A, { autoTranspose: true }).solve(B)` as well. Ridge-free readouts with more features
# than examples become NaN. Without the third argument solve refuses such a system in words. Expected: [-0.056, 0.111, 0.278].
# Observed: [NaN, NaN, NaN].
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/ml-matrix-least-squares-of-wide-systems.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts ml-matrix@6.15.1 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { Matrix, pseudoInverse, solve, SVD } from 'ml-matrix';
console.warn = () => {}; // a line on the speed of the decomposition
const [wide, target] = [new Matrix([[1, 2, 3], [4, 5, 6]]), new Matrix([[1], [2]])];
const rows = {
  'solve(A, B, true)': solve(wide, target, true),
  'pseudoInverse(A) B': pseudoInverse(wide).mmul(target),
  'SVD with autoTranspose': new SVD(wide, { autoTranspose: true }).solve(target),
};
const residual = (x) => Matrix.sub(wide.mmul(x), target).norm();
for (const [name, x] of Object.entries(rows)) console.log(`${name}: ${x.to1DArray().map((value) => value.toFixed(4)).join(', ')}; residual ${residual(x).toExponential(1)}`);
let refused = false;
try { solve(wide, target); } catch (error) { refused = true; console.log(`solve(A, B): ${error.message}`); }
const [svd, ...others] = Object.values(rows);
process.exitCode = svd.to1DArray().every(Number.isNaN) && others.every((x) => residual(x) < 1e-12) && refused ? 0 : 1;
JS
node run.mjs

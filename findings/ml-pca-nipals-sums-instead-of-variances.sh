#!/usr/bin/env bash
# ml-pca 4.1.1 (npm): getEigenvalues and getStandardDeviations mean something else with method 'NIPALS' than with 'SVD' and
# 'covarianceMatrix'. There they are variances along the components and their roots; with NIPALS nobody divides by the number of rows less
# one, so that eigenvalues are sums of squares and grow with the data, and deviations with its root. Shares (getExplainedVariance) hide it, since
# it cancels. Thresholds on eigenvalues (Kaiser's rule) and whitening by deviations change with the method. Expected, of 51 rows: the same
# eigenvalues. Observed: 50 times as large.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/ml-pca-nipals-sums-instead-of-variances.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --silent --no-audit --no-fund ml-pca@4.1.1; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { PCA } from 'ml-pca';

const rows = Array.from({ length: 51 }, (_, i) => [3 * Math.sin(i), Math.cos(2.3 * i), 0.2 * Math.sin(5.1 * i)]);
const of = (options) => new PCA(rows, options).getEigenvalues().slice(0, 2);
const found = { SVD: of({ method: 'SVD' }), covarianceMatrix: of({ method: 'covarianceMatrix' }), NIPALS: of({ method: 'NIPALS', nCompNIPALS: 2 }) };
for (const [method, values] of Object.entries(found)) console.log(`${method}: eigenvalues ${values}`);
const ratios = found.NIPALS.map((value, i) => value / found.SVD[i]);
console.log(`NIPALS / SVD: ${ratios}`);
const same = found.SVD.every((value, i) => Math.abs(value / found.covarianceMatrix[i] - 1) < 1e-9);
process.exit(same && ratios.every((ratio) => Math.abs(ratio - 50) < 1e-3) ? 0 : 1);
JS
node run.mjs

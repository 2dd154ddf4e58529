#!/usr/bin/env bash
# ml-hclust 4.0.0 (npm): agnes with method 'centroid' or 'median' updates distances by a formula that holds for squared distances, and
# gives it plain ones, which is what it computes from points. The heights of merges are then distances of nothing: two clusters whose
# centroids are 4.12 apart merge at 3.40, and the last two, 8 apart, at 6.76. scipy 1.17.1 gives 4.12 and 8, and agrees with this package
# for 'single', 'complete' and 'average' ('ward2' is scipy's ward). A tree that is cut at a distance is cut elsewhere. Expected: the
# distances of the centroids. A matrix of squared distances (isDistanceMatrix: true) gives their squares.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/ml-hclust-centroids-of-plain-distances.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --silent --no-audit --no-fund ml-hclust@4.0.0; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { agnes } from 'ml-hclust';

const points = [[0, 0], [0, 1], [4, 0], [4, 3], [10, 1]];
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const heights = (tree) => (tree.children.length ? [...tree.children.flatMap(heights), tree.height] : []).sort((a, b) => a - b);
// Pairs (0, 0) (0, 1) and (4, 0) (4, 3), then both, then the last point.
const right = [1, 3, distance([0, 0.5], [4, 1.5]), distance([2, 1], [10, 1])];
const plain = heights(agnes(points, { method: 'centroid' }));
const squares = points.map((a) => points.map((b) => distance(a, b) ** 2));
const rooted = heights(agnes(squares, { method: 'centroid', isDistanceMatrix: true })).map(Math.sqrt);
console.log(`distances of the centroids ${right}\nfrom points ${plain}\nroots from squared distances ${rooted}`);
const near = (a, b) => a.every((value, i) => Math.abs(value - b[i]) < 1e-9);
process.exit(near(rooted, right) && Math.abs(plain[2] - 3.39881) < 1e-4 && Math.abs(plain[3] - 6.7646) < 1e-3 ? 0 : 1);
JS
node run.mjs

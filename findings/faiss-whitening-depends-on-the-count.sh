#!/usr/bin/env bash
# faiss-cpu 1.15.1: PCAMatrix with eigen_power = -0.5, "full whitening" in its documentation, divides by the root of the
# eigenvalues of the SUM of squares, not of their mean: whitened vectors have the variance 1 / n for n training points, not 1.
# An index that is trained anew on ten times the points has vectors three times shorter (up to 1000 points per dimension, beyond
# which it trains on a sample): thresholds, radii and 8-bit ranges set on one do not fit the other. Expected: a variance of 1
# (as scikit-learn's PCA with whiten). Observed: 1 / n.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/faiss-whitening-depends-on-the-count.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import faiss, numpy as np

rng = np.random.default_rng(0)
mixing = rng.standard_normal((8, 8))
seen = {}
for count in (500, 5000):
    points = (rng.standard_normal((count, 8)) @ mixing).astype("f4")
    whitening = faiss.PCAMatrix(8, 8, -0.5)
    whitening.train(points)
    variance = whitening.apply(points).var(axis=0)
    seen[count] = variance.mean() * count
    print(f"{count} points: variance of the whitened coordinates {variance.mean():.6f}, times the count {seen[count]:.3f}; spread {variance.std() / variance.mean():.4f}")
sys.exit(0 if all(abs(value - 1) < 0.02 for value in seen.values()) else 1)
PY
env/bin/python run.py

#!/usr/bin/env bash
# usearch (Python) 2.26.6: an index with dtype="i8" keeps of every float vector its direction only, whatever the metric is. Each is
# scaled until its length is 127, so that under squared distances, metric="l2sq", vectors on one line are all the same point and the
# order of neighbours is that of cosines; distances come in units of 127 squared. Nothing is raised or printed, and recall looks well as
# long as all vectors are of one length. Expected, as in f32, f16 and bf16: from 4 on an axis the neighbours 4, 5 and 100 lie at
# 0, 1 and 9216. Observed in i8: all three at 0, and what is stored of each is 127.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/usearch-eight-bits-drop-lengths.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy as np
from usearch.index import Index

points = np.zeros((4, 4), np.float32)
points[[0, 1, 2], 0] = [4, 5, 100]
points[3, 1] = 3
seen = {}
for dtype in ("f32", "f16", "bf16", "i8"):
    index = Index(ndim=4, metric="l2sq", dtype=dtype)
    index.add(np.arange(4), points)
    found = index.search(points[0], 4)
    at = dict(zip(found.keys.tolist(), found.distances.tolist()))
    seen[dtype] = [at[key] for key in range(4)]
    print(f"{dtype}: squared distances {seen[dtype]}, stored {[index.get(key).tolist() for key in range(4)]}")
right = [0, 1, 9216, 25]
sys.exit(0 if all(seen[dtype] == right for dtype in ("f32", "f16", "bf16")) and seen["i8"][:3] == [0, 0, 0] and seen["i8"][3] > 30000 else 1)
PY
env/bin/python run.py

#!/usr/bin/env bash
# rank-bm25 0.2.2: BM25L multiplies its saturating term by the count of the word once more, so that scores grow with the count
# without bound: a page that says a word 200 times weighs 159 times as much as one of equal length that says it twice. BM25L (Lv
# and Zhai, 2011) levels off at k1 + 1, as do BM25Okapi of the same package and the method bm25l of bm25s 0.3.16. Stuffed or
# repetitive documents win every search. Expected: a ratio below 2. Observed: above 100.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/rank-bm25-bm25l-does-not-saturate.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check rank-bm25==0.2.2 bm25s==0.3.16 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import logging, sys
from rank_bm25 import BM25L, BM25Okapi
import bm25s

logging.disable()
# Documents of equal length, so that only the count of the word tells them apart.
def document(count):
    return ["memory"] * count + [f"word{count}-{i}" for i in range(400 - count)]


corpus = [document(count) for count in (2, 20, 200, 0, 0, 0, 0, 0)]
rows = {"rank-bm25 BM25L": BM25L(corpus).get_scores(["memory"]), "rank-bm25 BM25Okapi": BM25Okapi(corpus).get_scores(["memory"])}
other = bm25s.BM25(method="bm25l", k1=1.5, b=0.75, delta=0.5)
other.index(corpus, show_progress=False)
rows["bm25s bm25l"] = other.get_scores(["memory"])
ratios = {name: scores[2] / scores[0] for name, scores in rows.items()}
for name, scores in rows.items():
    print(f"{name}: counts of 2, 20 and 200 score {scores[0]:.2f}, {scores[1]:.2f}, {scores[2]:.2f}; 200 against 2: {ratios[name]:.1f} times")
sys.exit(0 if ratios["rank-bm25 BM25L"] > 100 and max(ratios["rank-bm25 BM25Okapi"], ratios["bm25s bm25l"]) < 2 else 1)
PY
env/bin/python run.py

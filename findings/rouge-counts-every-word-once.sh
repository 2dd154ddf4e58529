#!/usr/bin/env bash
# rouge 1.0.1 (PyPI; the scores of LongBench's summaries): ROUGE-1, ROUGE-2 and ROUGE-L are taken over SETS of words and n-grams
# by default (`exclusive`). A model that repeats a phrase without end, the commonest failure on long contexts, is not punished:
# "the cat" four times over has a precision of 1 against "the cat", and ROUGE-L gives 1 to an answer that says "cat" once where
# the reference says it four times. Sentences in another order have a ROUGE-L of 1 as well. Lin (2004) counts occurrences, and
# rouge-score 0.1.2 does. Expected and observed stand side by side. Nothing warns.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/rouge-counts-every-word-once.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check rouge==1.0.1 rouge-score==0.1.2; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
from rouge import Rouge
from rouge_score import rouge_scorer

pairs = [("the cat the cat the cat the cat", "the cat"), ("cat", "cat cat cat cat"), ("x y . a b", "a b . x y")]
counting = rouge_scorer.RougeScorer(["rouge1", "rougeL"])
seen = []
for answer, reference in pairs:
    sets, counts = Rouge().get_scores(answer, reference)[0], counting.score(reference, answer)
    row = [sets["rouge-1"]["f"], counts["rouge1"].fmeasure, sets["rouge-l"]["f"], counts["rougeL"].fmeasure]
    seen.append([round(value, 2) for value in row])
    print(f"{answer!r} for {reference!r}: ROUGE-1 {row[0]:.2f} (rouge-score {row[1]:.2f}), ROUGE-L {row[2]:.2f} (rouge-score {row[3]:.2f})")
sys.exit(0 if seen == [[1.0, 0.4, 1.0, 0.4], [1.0, 0.4, 1.0, 0.4], [1.0, 1.0, 1.0, 0.5]] else 1)
PY
env/bin/python run.py

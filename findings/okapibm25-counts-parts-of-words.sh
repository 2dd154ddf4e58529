#!/usr/bin/env bash
# okapibm25 1.4.1 (npm): a keyword is a regular expression that is searched everywhere in a text, not a term among its words. So 'art'
# counts in party, department, start, chart and starter, a text that has the word stands behind those that have only such words, and
# '3.5' counts in '345'; its README speaks of keywords. The document frequency is counted likewise. A keyword that is no regular
# expression ends in an error. Expected: the one text with the word 'art' first, nothing for the others. Observed: it is last of the three.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/okapibm25-counts-parts-of-words.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --no-audit --no-fund okapibm25@1.4.1; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
const loaded = require('okapibm25');
const BM25 = loaded.default ?? loaded;
const texts = ['we paint and art is long', 'party at the department', 'start the chart of a starter', 'nothing of it here'];
const scores = BM25(texts, ['art']);
texts.forEach((text, i) => console.log(scores[i].toFixed(3), text));
const numbers = BM25(['3.5 degrees', '345 degrees', 'no number'], ['3.5']);
console.log(`3.5: ${numbers.map((score) => score.toFixed(3)).join(', ')}`);
const holds = scores[1] > scores[0] && scores[2] > scores[0] && scores[0] > 0 && scores[3] === 0 && numbers[1] >= numbers[0] && numbers[0] > 0;
process.exit(holds ? 0 : 1);
JS
node run.cjs

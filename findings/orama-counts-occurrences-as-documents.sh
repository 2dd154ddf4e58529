#!/usr/bin/env bash
# @orama/orama 3.1.18 (npm): how often a word stands in a text either plays no part in its BM25 score, or turns the score against it.
# The tokenizer drops repeated words unless it is made with allowDuplicates: true, so that a text about apples and one that
# names an apple once are equal. With allowDuplicates every occurrence is counted as one more document that holds the word: as soon as
# there are more occurrences than documents the word's weight is below 0, and a document that holds it comes after those that do not hold
# any more of it. Expected of BM25, whose document frequency counts documents: scores above 0, more of a word not worth less than another
# word. Observed: 0.65 and 0.65 by default; -0.53 and -0.95 with allowDuplicates, where the words stand in two of four documents.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the package. Run: bash findings/orama-counts-occurrences-as-documents.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ npm init -y && npm install --silent --no-audit --no-fund @orama/orama@3.1.18; } >/dev/null 2>&1 || { echo "not tried: the package cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { create, insert, search } from '@orama/orama';

const texts = ['apple pie', `${'apple '.repeat(9)}pie`, 'blue sky', 'green grass'];
const scores = {};
for (const allowDuplicates of [false, true]) {
  const tokenizer = { allowDuplicates, language: 'english', normalizationCache: new Map() };
  const db = await create({ schema: { text: 'string' }, components: { tokenizer } });
  for (const text of texts) await insert(db, { text });
  const { hits } = await search(db, { term: 'apple' });
  scores[allowDuplicates] = texts.slice(0, 2).map((text) => hits.find(({ document }) => document.text === text).score);
  console.log(`allowDuplicates ${allowDuplicates}: apple once ${scores[allowDuplicates][0]}, nine times ${scores[allowDuplicates][1]}`);
}
const isSeen = scores.false[0] === scores.false[1] && scores.false[0] > 0 && scores.true.every((score) => score < 0);
process.exit(isSeen ? 0 : 1);
JS
node run.mjs

#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) does not follow the `behavior` of a Split step of tokenizer.json: with `invert` the text
# between the matches is thrown away whatever the behaviour is, and a string pattern to be Removed stays. Python's tokenizers
# 0.23.3 keeps every piece in the first case and drops the separator in the second. Expected (Python): 'ab 12' with inverted digits
# gives 'ab ' and '12'. Observed (JavaScript): '12' alone; half of the prompt is gone before the model sees it.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/huggingface-tokenizers-js-split.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ echo "{}" > package.json && npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/tokenizers@0.2.0 && python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import json, tokenizers
words = ["[unk]", "ab", "ab ", "12", " 12", " "]
rows = []
for pattern, behavior, invert in (({"Regex": "[0-9]+"}, "Isolated", True), ({"Regex": "[0-9]+"}, "MergedWithPrevious", True), ({"String": " "}, "Removed", False)):
    file = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert},
        "post_processor": None, "decoder": None,
        "model": {
            "type": "WordPiece", "unk_token": "[unk]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {word: index for index, word in enumerate(words)},
        },
    }
    rows.append([file, tokenizers.Tokenizer.from_str(json.dumps(file)).encode("ab 12").tokens])
json.dump(rows, open("rows.json", "w"))
PY
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
const seen = JSON.parse(readFileSync('rows.json', 'utf8')).map(([file, python]) => {
  const script = new Tokenizer(file, {}).encode('ab 12').tokens;
  const { behavior, invert } = file.pre_tokenizer;
  console.log(`${behavior}${invert ? ', inverted' : ''}: Python ${JSON.stringify(python)}, JavaScript ${JSON.stringify(script)}`);
  return [python, script];
});
const described = [[['ab ', '12'], ['12']], [['ab ', '12'], ['12']], [['ab', '12'], ['ab', ' ', '12']]];
process.exitCode = JSON.stringify(seen) === JSON.stringify(described) ? 0 : 1;
JS
env/bin/python run.py
node run.mjs

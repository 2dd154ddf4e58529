#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) reads a Unigram model with `byte_fallback` and does not fall back to bytes: a
# text that the vocabulary does not hold becomes one unknown token, however long it is, while Python's tokenizers 0.23.3 spells it in
# <0x..> tokens that decode to the same text. It also ignores `single_word`, and cuts an added token out of the middle of
# longer words. Same tokenizer.json, other ids, no warning: the model in the page is not the model that was trained.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/huggingface-tokenizers-js-byte-fallback.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ echo "{}" > package.json && npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/tokenizers@0.2.0 && python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import json, tokenizers
pieces = [["<unk>", 0.0], ["a", -1.0], ["b", -1.0], ["ab", -1.5]] + [[f"<0x{byte:02X}>", -9.0] for byte in range(256)]
added = {"id": len(pieces), "content": "ab", "single_word": True, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
def file(tokens):
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True},
    }
rows = []
for name, tokens, text in (("byte_fallback", [], "a=1;"), ("single_word", [added], "abab")):
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(file(tokens)))
    ids = tokenizer.encode(text).ids
    rows.append([name, file(tokens), text, ids, tokenizer.decode(ids)])
json.dump(rows, open("rows.json", "w"))
PY
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
const options = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
const seen = JSON.parse(readFileSync('rows.json', 'utf8')).map(([name, file, text, ids, decoded]) => {
  const tokenizer = new Tokenizer(file, {});
  const script = tokenizer.encode(text).ids;
  const back = tokenizer.decode(script, options);
  console.log(`${name}, ${text}: Python ${ids} (decodes to ${decoded}), JavaScript ${script} (decodes to ${back})`);
  return [ids, decoded, script, back];
});
// 65, 53 and 63 are the bytes of '=', '1' and ';' behind the four pieces; 260 is the added token.
const described = [[[1, 65, 53, 63], 'a=1;', [1, 0], 'a<unk>'], [[3, 3], 'abab', [260, 260], 'abab']];
process.exitCode = JSON.stringify(seen) === JSON.stringify(described) ? 0 : 1;
JS
env/bin/python run.py
node run.mjs

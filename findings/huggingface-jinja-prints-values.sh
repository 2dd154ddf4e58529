#!/usr/bin/env bash
# Templates of models that call tools print argument values as they are: {{ value }}, {{ value | string }}. @huggingface/jinja
# 0.5.11 prints JavaScript's texts: true for True, nothing for None, double quotes in lists and objects, all digits for 1e16. The
# model was trained on Python's texts (Jinja2 3.1.6) and sees other tokens for the same call. `capitalize` leaves capitals
# behind the first letter, `title` starts a word behind an apostrophe. Nothing raises or warns.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/huggingface-jinja-prints-values.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ echo "{}" > package.json && npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/jinja@0.5.11 && python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check Jinja2==3.1.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > rows.json <<'JSON'
[["{{ call.exact }}", "True", "true"],
 ["{{ call.exact | string }}", "True", "true"],
 ["{{ call.until }}", "None", ""],
 ["{{ call.where }}", "{'city': 'Rome', 'zip': ['00118']}", "{\"city\": \"Rome\", \"zip\": [\"00118\"]}"],
 ["{{ [call.exact, call.until] | join(' ') }}", "True None", "true "],
 ["{{ call.count }}", "1e+16", "10000000000000000"],
 ["{{ 'HELLO World' | capitalize }}", "Hello world", "HELLO World"],
 ["{{ \"it's\" | title }}", "It's", "It'S"]]
JSON
echo '{ "call": { "exact": true, "until": null, "where": { "city": "Rome", "zip": ["00118"] }, "count": 1e16 } }' > call.json
cat > run.py <<'PY'
import json, jinja2
call = json.load(open("call.json"))
print(json.dumps([jinja2.Template(source).render(call) for source, _, _ in json.load(open("rows.json"))]))
PY
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
const read = (name) => JSON.parse(readFileSync(name, 'utf8'));
const { version } = read('node_modules/@huggingface/jinja/package.json');
const [call, rows, python] = [read('call.json'), read('rows.json'), read('python.json')];
const script = rows.map(([source]) => new Template(source).render(call));
rows.forEach(([source], row) => console.log(`${source}: Jinja2 ${python[row]}, @huggingface/jinja ${version} ${script[row]}`));
process.exitCode = rows.every(([, first, second], row) => python[row] === first && script[row] === second) ? 0 : 1;
JS
env/bin/python run.py > python.json
node run.mjs

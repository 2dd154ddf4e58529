#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 drops the argument of strip, lstrip and rstrip: they always take off white space, whatever characters
# are asked for. Templates of reasoning models cut the answer out with .lstrip('\n') and .strip('\n'), so that an answer
# which begins with indented code or ends in a hard line break reaches the model changed; Jinja2 3.1.6 keeps the spaces.
# Expected and observed stand side by side. Nothing raises or warns.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/huggingface-jinja-strip-argument.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ echo "{}" > package.json && npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/jinja@0.5.11 && python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check Jinja2==3.1.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > rows.json <<'JSON'
[["{{ answer.split('</think>')[-1].lstrip('\\n') }}", "\"    return x\""],
 ["{{ line.rstrip('\\n') }}", "\"two spaces  \""],
 ["{{ 'xxaxx'.strip('x') }}", "\"a\""],
 ["{{ '<<id>>'.strip('<>') }}", "\"id\""]]
JSON
cat > run.py <<'PY'
import json, jinja2
texts = {"answer": "<think>so</think>\n\n    return x", "line": "two spaces  \n"}
print(json.dumps([jinja2.Template(source).render(texts) for source, _ in json.load(open("rows.json"))]))
PY
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
const { version } = JSON.parse(readFileSync('node_modules/@huggingface/jinja/package.json', 'utf8'));
const texts = { answer: '<think>so</think>\n\n    return x', line: 'two spaces  \n' };
const rows = JSON.parse(readFileSync('rows.json', 'utf8'));
const python = JSON.parse(readFileSync('python.json', 'utf8'));
const script = rows.map(([source]) => new Template(source).render(texts));
rows.forEach(([source], row) => console.log(`${source}: Jinja2 ${JSON.stringify(python[row])}, @huggingface/jinja ${version} ${JSON.stringify(script[row])}`));
const right = rows.every(([, expected], row) => JSON.stringify(python[row]) === expected);
process.exitCode = right && JSON.stringify(script) === '["return x","two spaces","xxaxx","<<id>>"]' ? 0 : 1;
JS
env/bin/python run.py > python.json
node run.mjs

#!/usr/bin/env bash
# oniguruma-to-es translates \w to letters, marks, ALL numbers and connectors; Oniguruma's \w has of numbers the decimal ones
# (and six of Latin-1) and has alphabetic symbols such as the circled letters. So U+2460 and U+24B6 come out the wrong way
# round. vscode-oniguruma is Oniguruma itself, compiled to WebAssembly. Ends with 1 when either behaves in another
# way, with 2 when the packages cannot be installed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts oniguruma-to-es@4.3.6 vscode-oniguruma@2.0.1 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { toRegExp } from 'oniguruma-to-es';
const { loadWASM, OnigScanner } = createRequire(import.meta.url)('vscode-oniguruma');
await loadWASM(readFileSync('node_modules/vscode-oniguruma/release/onig.wasm').buffer);
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
const scanner = new OnigScanner(['\\w']);
const translated = toRegExp('\\w');
const rows = ['a', '\u2460', '\u24b6'].map((text) => [scanner.findNextMatchSync(text, 0) !== null, translated.test(text)]);
console.log(`a, U+2460, U+24B6: Oniguruma (vscode-oniguruma ${version('vscode-oniguruma')}) ${rows.map(([right]) => right)}`);
console.log(`a, U+2460, U+24B6: oniguruma-to-es ${version('oniguruma-to-es')} ${rows.map(([, translation]) => translation)}`);
process.exitCode = JSON.stringify(rows) === '[[true,true],[false,true],[true,false]]' ? 0 : 1;
EOF
node run.mjs

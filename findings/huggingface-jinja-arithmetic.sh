#!/usr/bin/env bash
# Chat templates are Jinja2 programs. @huggingface/jinja renders four expressions otherwise than Jinja2 3.1 does: the remainder
# of negative numbers has the sign of the dividend (Python: of the divisor), a number equals the text of its digits, equal
# lists are not equal, and an attribute of an undefined name is an empty text where Jinja2 raises UndefinedError. None of them
# raises or warns. Ends with 1 when the library behaves in another
# way, with 2 when the packages cannot be installed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/jinja@0.5.11 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'EOF'
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
const { version } = JSON.parse(readFileSync('node_modules/@huggingface/jinja/package.json', 'utf8'));
const render = (source) => new Template(source).render({});
// What Jinja2 3.1.6 renders (Python) stands beside it.
const rows = [
  ['{{ -7 % 3 }}', '2'],
  ['{{ "1" == 1 }}', 'False'],
  ['{{ [1] == [1] }}', 'True'],
  ['{{ message.content.text }}', 'UndefinedError'],
];
const printed = rows.map(([source]) => {
  try { return render(source); } catch (error) { return error.constructor.name; }
});
console.log(`@huggingface/jinja ${version}`);
for (const [index, [source, jinja2]] of rows.entries()) {
  console.log(`${source}: ${JSON.stringify(printed[index])}, Jinja2 ${JSON.stringify(jinja2)}`);
}
process.exitCode = JSON.stringify(printed) === '["-1","true","false",""]' ? 0 : 1;
EOF
node run.mjs

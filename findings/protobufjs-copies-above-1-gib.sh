#!/usr/bin/env bash
# protobufjs: a writer whose buffer has reached 1 GiB copies the whole buffer at every further write, instead of at every
# doubling: the doubled size, `length << 1`, is a negative 32-bit number. A message of 1 GiB with a thousand small fields behind
# it is copied a thousand times and never ends. Needs 3 GiB of memory.
# Exits 0 when the behaviour is there, 1 when it is not any more, 2 when the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund protobufjs@8.8.1 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat >count.cjs <<'SCRIPT'
const { Writer } = require('protobufjs/minimal.js');
const { version } = require('protobufjs/package.json');

/** Buffers that five small writes allocate behind a field of so many bytes. */
function buffers(bytes) {
  const writer = Writer.create();
  writer.bytes(Buffer.alloc(bytes));
  let count = 0;
  const { alloc } = writer.constructor;
  writer.constructor.alloc = (size) => {
    count += 1;
    return alloc(size);
  };
  for (let field = 0; field < 5; field++) writer.uint32(8).uint32(1);
  writer.constructor.alloc = alloc;
  return count;
}

const [below, above] = [buffers(2 ** 20), buffers(2 ** 30)];
console.log(`protobufjs ${version}: ten small writes behind 1 MiB allocate ${below} buffer, behind 1 GiB ${above}`);
process.exit(below <= 1 && above >= 5 ? 0 : 1);
SCRIPT
node count.cjs

#!/usr/bin/env bash
# Vocabularies of SentencePiece hold tokens that are, or begin with, the character U+FEFF. @huggingface/gguf
# decodes every string with a TextDecoder that takes a leading U+FEFF for a byte order mark and drops it: two tokens of the list
# come back as '' and 'a', equal to others, so that ids no longer tell texts apart. The file is valid: version 3, little-endian,
# one list of strings, no tensors. Ends with 1 when the library behaves in another
# way, with 2 when the packages cannot be installed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/gguf@0.4.6 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'EOF'
import { readFileSync, writeFileSync } from 'node:fs';
import { gguf } from '@huggingface/gguf';
const { version } = JSON.parse(readFileSync('node_modules/@huggingface/gguf/package.json', 'utf8'));
const u32 = (value) => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value); return bytes; };
const u64 = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes; };
const text = (value) => { const bytes = Buffer.from(value, 'utf8'); return Buffer.concat([u64(bytes.length), bytes]); };
const [STRING, ARRAY] = [8, 9];
const tokens = ['a', '\uFEFF', '\uFEFFa'];
const entries = [
  [text('general.architecture'), u32(STRING), text('llama')],
  [text('tokenizer.ggml.tokens'), u32(ARRAY), u32(STRING), u64(tokens.length), ...tokens.map(text)],
];
const header = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(entries.length), ...entries.flat()]);
writeFileSync('vocabulary.gguf', Buffer.concat([header, Buffer.alloc(64)]));
const { metadata } = await gguf('vocabulary.gguf', { allowLocalFile: true });
const read = metadata['tokenizer.ggml.tokens'];
console.log(`@huggingface/gguf ${version}: wrote ${tokens.map((token) => JSON.stringify(token).replaceAll('\uFEFF', '\\ufeff'))}`);
console.log(`read ${read.map((token) => JSON.stringify(token).replaceAll('\uFEFF', '\\ufeff'))}`);
process.exitCode = JSON.stringify(read) === '["a","","a"]' ? 0 : 1;
EOF
node run.mjs

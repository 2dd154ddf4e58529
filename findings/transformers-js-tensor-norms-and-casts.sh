#!/usr/bin/env bash
# @huggingface/transformers (JavaScript) 4.3.2: the tensors that its pipelines return have the methods of PyTorch's, with other
# results. norm(1) adds the elements with their signs, so that a norm can be negative, norm(3) of a negative element is NaN, and
# normalize(1, dim) of an embedding divides by that. to('int64') rounds down where to('int32') cuts off, and to('bool') cuts a
# fraction off first: 0.5 is false and 2 is a "true" of value 2. PyTorch: 6, 3.3019, -1, and true. Nothing warns. Observed: -2,
# NaN, -2, and 0.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/transformers-js-tensor-norms-and-casts.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/transformers@4.3.2 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { Tensor } from '@huggingface/transformers';
const row = (values) => new Tensor('float32', Float32Array.from(values), [1, values.length]);
const list = (tensor) => Array.from(tensor.data, Number);
const seen = {
  'norm(1) of [-1, 2, -3]': list(row([-1, 2, -3]).norm(1, 1)),
  'norm(3) of [-1, 2, -3]': list(row([-1, 2, -3]).norm(3, 1)),
  'normalize(1) of [-1, 2, -3]': list(row([-1, 2, -3]).normalize(1, 1)),
  "to('int64') of [1.9, -1.9]": list(row([1.9, -1.9]).to('int64')),
  "to('int32') of [1.9, -1.9]": list(row([1.9, -1.9]).to('int32')),
  "to('bool') of [0.5, 2, 0]": list(row([0.5, 2, 0]).to('bool')),
};
const expected = [[6], [36 ** (1 / 3)], [-1 / 6, 1 / 3, -1 / 2], [1, -1], [1, -1], [1, 1, 0]];
Object.entries(seen).forEach(([name, values], i) => console.log(`${name}: ${values.join(', ')}; PyTorch ${expected[i].map((value) => Number(value.toFixed(4))).join(', ')}`));
process.exitCode = JSON.stringify(Object.values(seen)) === '[[-2],[null],[0.5,-1,1.5],[1,-2],[1,-1],[0,2,0]]' ? 0 : 1;
JS
node run.mjs

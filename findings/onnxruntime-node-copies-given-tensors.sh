#!/usr/bin/env bash
# onnxruntime-node: a tensor that is given for an output, `session.run(feeds, { y: tensor })`, saves nothing. The type of `fetches`
# speaks of "a pre-allocated value", which in the runtime's other bindings is the way to have no allocation per call.
# Expected: the result is the given tensor. Observed (onnxruntime-node 1.30.0): the given buffer is written, and the result is
# a new tensor with a copy of it in new memory, in every call. A decoder that carries a cache through its graph so allocates
# and copies all of it for every token, and the garbage collector meets it later.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-node-copies-given-tensors.sh [version]
set -euo pipefail
version="${1:-1.30.0}"
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-audit --no-fund "onnxruntime-node@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.cjs <<'JS'
const ort = require('onnxruntime-node');
// A minimal writer of ONNX messages: fields are [number, value].
const varint = (n) => { const out = []; for (let v = n; ; v = Math.floor(v / 128)) { out.push((v % 128) | (v > 127 ? 128 : 0)); if (v < 128) return out; } };
const message = (...fields) => Uint8Array.from(fields.flatMap(([field, value]) => {
  if (typeof value === 'number') return [...varint(field << 3), ...varint(value)];
  const body = typeof value === 'string' ? [...Buffer.from(value)] : [...value];
  return [...varint((field << 3) | 2), ...varint(body.length), ...body];
}));
const COUNT = 1 << 20;
const info = (name) => message([1, name], [2, message([1, message([1, 1], [2, message([1, message([1, COUNT])])])])]);
const node = message([1, 'x'], [2, 'y'], [4, 'Neg']);
const model = message([1, 9], [7, message([1, node], [2, 'g'], [11, info('x')], [12, info('y')])], [8, message([1, ''], [2, 20])]);
(async () => {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const x = new ort.Tensor('float32', new Float32Array(COUNT).fill(1), [COUNT]);
  const given = new Float32Array(COUNT);
  const y = new ort.Tensor('float32', given, [COUNT]);
  const first = await session.run({ x }, { y });
  const second = await session.run({ x }, { y });
  const seen = {
    'result is right': first.y.data[0] === -1 && second.y.data[COUNT - 1] === -1,
    'given buffer was written': given[0] === -1,
    'result is the given tensor': first.y === y || first.y.data === given,
    'both results share memory': first.y.data.buffer === second.y.data.buffer,
  };
  for (const [what, is] of Object.entries(seen)) console.log(`onnxruntime-node ${ort.env.versions.node}: ${what}: ${is}`);
  const asDescribed = Object.values(seen).join() === 'true,true,false,false';
  console.log(asDescribed ? 'as described' : 'behaviour changed');
  process.exit(asDescribed ? 0 : 1);
})();
JS
node run.cjs

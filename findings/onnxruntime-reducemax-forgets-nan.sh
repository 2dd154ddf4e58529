#!/usr/bin/env bash
# onnxruntime-node: whether ReduceMax and ReduceMin see a NaN depends on where it stands in the row.
# Expected: NaN wherever it stands (as TensorFlow and PyTorch), or nowhere. Observed: NaN for some places and the largest
# number for others, in rows that differ by nothing but the place of the NaN.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-reducemax-forgets-nan.sh [version]
set -euo pipefail
version="${1:-1.30.0}"
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-audit --no-fund "onnxruntime-node@$version" "onnxruntime-web@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > model.cjs <<'JS'
// A minimal writer of ONNX messages: fields are [number, value]; strings and nested messages are length-delimited.
const varint = (n) => { const out = []; let v = BigInt.asUintN(64, BigInt(n)); do { out.push(Number(v & 127n) | (v > 127n ? 128 : 0)); v >>= 7n; } while (v > 0n); return out; };
const message = (...fields) => Uint8Array.from(fields.flatMap(([field, value]) => {
  if (typeof value === 'number' || typeof value === 'bigint') return [...varint(field << 3), ...varint(value)];
  const body = typeof value === 'string' ? [...Buffer.from(value)] : [...value];
  return [...varint((field << 3) | 2), ...varint(body.length), ...body];
}));
const info = (name, type, shape) => message([1, name], [2, message([1, message([1, type], [2, message(...shape.map((d) => [1, message([1, d])]))])])]);
const node = (op, inputs, output, ...attributes) => message(...inputs.map((i) => [1, i]), [2, output], [4, op], ...attributes.map((a) => [5, a]));
const text = (name, value) => message([1, name], [4, value], [20, 3]);
const int = (name, value) => message([1, name], [3, value], [20, 2]);
const model = (nodes, inputs, outputs) => message([1, 9], [7, message(...nodes.map((n) => [1, n]), [2, 'g'], ...inputs.map((i) => [11, i]), ...outputs.map((o) => [12, o]))], [8, message([1, ''], [2, 20])]);
module.exports = { info, node, text, int, model };
JS
cat > run.cjs <<'JS'
const { info, node, text, int, model } = require('./model.cjs');
const FLOAT = 1, INT64 = 7;
const runtimes = { 'onnxruntime-node': require('onnxruntime-node'), 'onnxruntime-web': require('onnxruntime-web') };
async function run(ort, op, data, shape, outShape, attributes = [], axes) {
  const inputs = [info('x', FLOAT, shape), ...(axes ? [info('a', INT64, axes.scalar ? [] : [axes.values.length])] : [])];
  const bytes = model([node(op, axes ? ['x', 'a'] : ['x'], 'y', ...attributes)], inputs, [info('y', FLOAT, outShape)]);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [ort === runtimes['onnxruntime-web'] ? 'wasm' : 'cpu'] });
  const feeds = { x: new ort.Tensor('float32', data, shape) };
  if (axes) feeds.a = new ort.Tensor('int64', BigInt64Array.from(axes.values, BigInt), axes.scalar ? [] : [axes.values.length]);
  return (await session.run(feeds)).y.data;
}
function finish(checks) {
  for (const [what, holds] of checks) console.log(`${holds ? 'as described' : 'CHANGED'}: ${what}`);
  process.exit(checks.every(([, holds]) => holds) ? 0 : 1);
}
(async () => {
  const W = 64;
  const checks = [];
  const ort = runtimes['onnxruntime-node'];
  for (const op of ['ReduceMax', 'ReduceMin']) {
    const x = new Float32Array(W * W).fill(1);
    for (let i = 0; i < W; i++) x[i * W + i] = NaN;
    const y = await run(ort, op, x, [W, W], [W], [int('keepdims', 0)], { values: [1] });
    const seen = y.filter(Number.isNaN).length;
    console.log(`onnxruntime-node ${ort.env.versions.node}: ${op} sees the NaN in ${seen} of ${W} rows`);
    checks.push([`${op} sees some and not others`, seen > 0 && seen < W]);
  }
  finish(checks);
})();
JS
node run.cjs

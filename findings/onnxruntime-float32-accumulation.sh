#!/usr/bin/env bash
# onnxruntime-node and onnxruntime-web: long float32 sums go into one float32 accumulator.
# Expected: the mean of 2^20 times 0.1 is 0.1, and a running sum of ones counts on beyond 2^24. Observed: on the web the mean is
# 0.10099 (1 % off), on Node a ReduceSum over the first axis is off likewise, and CumSum stands still at 2^24 on both.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-float32-accumulation.sh [version]
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
  const N = 2 ** 20;
  const tenths = new Float32Array(N).fill(0.1);
  const keep = [int('keepdims', 0)];
  const checks = [];
  for (const [name, ort] of Object.entries(runtimes)) {
    const rows = await run(ort, 'ReduceMean', tenths, [1, N], [1], keep, { values: [1] });
    const columns = await run(ort, 'ReduceSum', new Float32Array(8 * N).fill(0.1), [N, 8], [8], keep, { values: [0] });
    const count = 2 ** 24 + 64;
    const running = await run(ort, 'CumSum', new Float32Array(count).fill(1), [count], [count], [], { values: [0], scalar: true });
    console.log(`${name} ${ort.env.versions.node ?? ort.env.versions.web}: mean over the last axis ${rows[0]}, sum over the first axis / 2^20 ${columns[0] / N}, last running sum of 2^24 + 64 ones ${running[count - 1]}`);
    checks.push([`${name}: ReduceSum over the first axis is 0.9 % off`, Math.abs(columns[0] / N - 0.1) > 5e-4]);
    checks.push([`${name}: CumSum stands still at 2^24`, running[count - 1] === 2 ** 24]);
    if (name === 'onnxruntime-web') checks.push([`${name}: ReduceMean of 0.1 is 0.10099`, Math.abs(rows[0] - 0.10099) < 1e-4]);
  }
  finish(checks);
})();
JS
node run.cjs

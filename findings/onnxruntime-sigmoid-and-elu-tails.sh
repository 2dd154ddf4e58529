#!/usr/bin/env bash
# onnxruntime-node and onnxruntime-web: Sigmoid keeps absolute digits only, Elu loses all digits near zero.
# Expected: sigmoid(-15) = 3.059e-7, sigmoid(-20) = 2.061e-9, elu(-1e-9) = -1e-9 (float32 holds all of these).
# Observed: sigmoid is off by percents from -13 down and exactly 0 from -18 down, so that a logarithm of it is -Infinity; elu is 0.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-sigmoid-and-elu-tails.sh [version]
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
  const x = Float32Array.from([-15, -16.5, -17.5, -20, -1e-9]);
  const checks = [];
  for (const [name, ort] of Object.entries(runtimes)) {
    const y = await run(ort, 'Sigmoid', x, [5], [5]);
    const e = await run(ort, 'Elu', x, [5], [5]);
    const error = Math.max(...[0, 1, 2].map((i) => Math.abs(y[i] * (1 + Math.exp(-x[i])) - 1)));
    console.log(`${name} ${ort.env.versions.node ?? ort.env.versions.web}: sigmoid(-15..-17.5) is off by up to ${(100 * error).toFixed(0)} %, sigmoid(-20) = ${y[3]}, elu(-1e-9) = ${e[4]}`);
    checks.push([`${name}: sigmoid is off by more than 5 %`, error > 0.05], [`${name}: sigmoid(-20) is 0`, y[3] === 0], [`${name}: elu(-1e-9) is 0`, Math.abs(e[4]) === 0]);
  }
  finish(checks);
})();
JS
node run.cjs

#!/usr/bin/env bash
# onnxruntime-node: ScatterND with reduction "add" loses updates when rows repeat and the session has two threads.
# Expected (ONNX: "the add is atomic with respect to repeated indices"): every row is counted. Observed: rows are missing,
# other ones on every run; with one thread, and with ScatterElements, all are there.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-node-scatternd-add-race.sh [version]
set -euo pipefail
version="${1:-1.30.0}"
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-audit --no-fund "onnxruntime-node@$version" >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
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
const ort = require('onnxruntime-node');
const { info, node, text, int, model } = require('./model.cjs');
const ROWS = 8192, WIDTH = 64, TABLE = 2000, RUNS = 400;
const FLOAT = 1, INT64 = 7;
const scatterND = model([node('ScatterND', ['t', 'i', 'u'], 'y', text('reduction', 'add'))],
  [info('t', FLOAT, [TABLE, WIDTH]), info('i', INT64, [ROWS, 1]), info('u', FLOAT, [ROWS, WIDTH])], [info('y', FLOAT, [TABLE, WIDTH])]);
const elements = model([node('ScatterElements', ['t', 'i', 'u'], 'y', int('axis', 0), text('reduction', 'add'))],
  [info('t', FLOAT, [TABLE, WIDTH]), info('i', INT64, [ROWS, WIDTH]), info('u', FLOAT, [ROWS, WIDTH])], [info('y', FLOAT, [TABLE, WIDTH])]);
let seed = 7; const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
// Ids as frequent as words: the n-th with a share of about 1/n.
const ids = Array.from({ length: ROWS }, () => Math.min(TABLE - 1, Math.floor(TABLE ** random()) - 1));
const want = new Float32Array(TABLE * WIDTH);
ids.forEach((id) => { for (let c = 0; c < WIDTH; c++) want[id * WIDTH + c] += 1; });
const t = new ort.Tensor('float32', new Float32Array(TABLE * WIDTH), [TABLE, WIDTH]);
const u = new ort.Tensor('float32', new Float32Array(ROWS * WIDTH).fill(1), [ROWS, WIDTH]);
const one = new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [ROWS, 1]);
const all = new ort.Tensor('int64', BigInt64Array.from({ length: ROWS * WIDTH }, (_, k) => BigInt(ids[Math.floor(k / WIDTH)])), [ROWS, WIDTH]);
async function wrongRuns(bytes, i, threads) {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: threads });
  let wrong = 0;
  for (let run = 0; run < RUNS; run++) { const { y } = await session.run({ t, i, u }); if (y.data.some((v, k) => v !== want[k])) wrong += 1; if (wrong === 5) break; }
  return wrong;
}
(async () => {
  const [raced, single, exact] = [await wrongRuns(scatterND, one, 2), await wrongRuns(scatterND, one, 1), await wrongRuns(elements, all, 2)];
  console.log(`onnxruntime-node ${ort.env.versions.node}: wrong runs of up to ${RUNS} (stopping at 5): ScatterND add on two threads ${raced}, on one thread ${single}, ScatterElements add on two threads ${exact}`);
  const asDescribed = raced > 0 && single === 0 && exact === 0;
  console.log(asDescribed ? 'as described' : 'behaviour changed');
  process.exit(asDescribed ? 0 : 1);
})();
JS
node run.cjs

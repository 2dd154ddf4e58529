// npm run bench:training -- ratios of one training step of the yardstick GPT between engines, and to the GEMM peak.
import { createEngine, ndarray, normalInit, probeEngines, Rng, tf } from '../dist/index.js';
import * as gpt from './gpt.mjs';

const rng = Rng.fromSeed(7);
const { batch, time, vocabulary } = gpt.shape;
const randomIds = () =>
  ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
    [batch, time],
    'int32',
  );
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const fastest = (values) => Math.min(...values);

// One batch for every engine, so that their first losses can be compared.
const [ids, targets] = [randomIds(), randomIds()];

async function trainer(engine) {
  const step = engine.compile(gpt.trainStep, { donate: [0] });
  let state = gpt.initialState(gpt.initialise());
  const started = performance.now();
  const advance = async () => {
    const before = performance.now();
    const result = await step(state, ids, targets);
    const loss = await result.loss.item();
    const elapsed = performance.now() - before;
    result.loss.dispose();
    result.norm.dispose();
    state = result.state;
    return { elapsed, loss };
  };
  const first = await advance();
  return { advance, firstCall: performance.now() - started, firstLoss: first.loss };
}

async function matrixPeak(engine, size = 1024) {
  const multiply = engine.compile((a, b) => tf.matMul(a, b));
  const { a, b } = engine.put({ a: normalInit(rng, [size, size], 1), b: normalInit(rng, [size, size], 1) });
  return async () => {
    const before = performance.now();
    (await multiply(a, b)).dispose();
    return performance.now() - before;
  };
}

const onnx = await createEngine('onnx');
console.log(`engine: ${onnx.describe().runtime}, ${onnx.describe().threads} threads`);
const training = await trainer(onnx);
const multiply = await matrixPeak(onnx);
const steps = [];
const products = [];
// Interleaved, so that both see the same machine.
for (let round = 0; round < 40; round++) {
  steps.push((await training.advance()).elapsed);
  for (let repeat = 0; repeat < 2; repeat++) products.push(await multiply());
}
const flops = gpt.trainFlops(gpt.initialise());
const rate = (milliseconds, work) => work / milliseconds / 1e6;
const peak = rate(fastest(products), 2 * 1024 ** 3);
const tokens = (milliseconds) => Math.round((batch * time * 1000) / milliseconds);
console.log(
  `training step: median ${median(steps).toFixed(1)} ms, fastest ${fastest(steps).toFixed(1)} ms (${tokens(median(steps))} tokens/s)`,
);
console.log(`tracing + session creation + first step: ${training.firstCall.toFixed(0)} ms`);
console.log(
  `GEMM 1024: fastest ${peak.toFixed(0)} GFLOP/s, median ${rate(median(products), 2 * 1024 ** 3).toFixed(0)}`,
);
console.log(
  `share of the GEMM peak: ${(rate(fastest(steps), flops) / peak).toFixed(2)} (fastest to fastest), ` +
    `${(((median(products) / median(steps)) * flops) / (2 * 1024 ** 3)).toFixed(2)} (median to median)`,
);
const loadable = new Set((await probeEngines()).filter(({ available }) => available).map(({ name }) => name));
for (const [name, count] of [
  ['tfjs-node', 10],
  ['wasm', 3],
  ['cpu', 1],
]) {
  if (!loadable.has(name)) continue;
  const engine = await createEngine(name);
  const other = await trainer(engine);
  const times = [];
  for (let i = 0; i < count; i++) times.push((await other.advance()).elapsed);
  console.log(
    `${name}: ${median(times).toFixed(0)} ms a step; onnx is ${(median(times) / median(steps)).toFixed(1)} times as fast (first losses ${other.firstLoss.toFixed(5)} and ${training.firstLoss.toFixed(5)})`,
  );
  await engine.dispose();
}
await onnx.dispose();

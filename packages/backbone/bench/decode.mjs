// node bench/decode.mjs: prefill as a share of the GEMM peak, decoding against the memory bandwidth, memory of the cache.
import { createEngine, ndarray, normalInit, Rng, tf } from '../../tensor-core/dist/index.js';
import { cacheBytes, createTransformer } from '../dist/index.js';
import {
  clock,
  copyBandwidth,
  countParameters,
  dispose,
  fastest,
  forwardFlops,
  matrixProduct,
  median,
  randomTokens,
  rng,
  timed,
} from './common.mjs';

const shape = {
  vocabSize: 8192,
  layers: 8,
  heads: 8,
  keyValueHeads: 4,
  modelWidth: 512,
  context: 512,
  norm: 'rms',
  activation: 'swiglu',
};
const ROUNDS = 20;
const engine = await createEngine('onnx');
const model = createTransformer(shape);
const host = model.init(Rng.fromSeed(1));
const weights = countParameters(host);
const params = engine.put(host);
console.log(
  `engine: ${engine.describe().runtime}, ${engine.describe().threads} threads; ${(weights / 1e6).toFixed(1)} M weights`,
);

// Memory of the cache.
const initState = engine.compile((tree) => model.initState(tree, 1));
const before = engine.memory().bytes;
const state = await initState(params);
console.log(
  `cache of ${model.slots} slots: ${engine.memory().bytes - before} bytes held by the engine, ${cacheBytes(model.options)} by the formula`,
);

// Prefill.
const prefill = engine.compile((tree, tokens) => {
  const { logits, state: after } = model.run(tree, { tokens }, model.initState(tree, 1), { logits: 'last' });
  return { logits, after };
});
const product = matrixProduct(engine);
const prompt = randomTokens(1, 512, shape.vocabSize);
const [prefills, products] = [[], []];
await timed(() => prefill(params, prompt));
for (let round = 0; round < ROUNDS; round++) {
  prefills.push(await timed(() => prefill(params, prompt)));
  products.push(await timed(async () => ({ c: await product.call() })));
}
const flops = forwardFlops({ options: { ...model.options, vocabSize: 0 } }, 1, 512);
const share = (of) => (flops / of(prefills) / (product.flops / of(products))).toFixed(2);
console.log(
  `prefill of 512 tokens: median ${median(prefills).toFixed(1)} ms, share of the GEMM peak ${share(fastest)} fastest to fastest, ${share(median)} median to median`,
);

// Decoding over a full cache. Bounds: copying as many bytes as the weights have, and a product of one row with a frozen
// matrix of as many bytes.
const step = (freeze) => engine.compile(model.step, { name: 'step', freeze, donate: [2] });
const rows = 1024;
const columns = Math.round(weights / rows);
const matrix = engine.put(normalInit(rng, [rows, columns], 0.02));
const multiply = engine.compile((m, x) => tf.matMul(x, m), { freeze: [0] });
const row = engine.put(normalInit(rng, [1, rows], 1));
const id = ndarray(Int32Array.of(3), [1], 'int32');

/** Decodes with a state of its own, which every step takes over. */
async function decoder(freeze) {
  const advance = step(freeze);
  let { after: own } = await prefill(params, prompt);
  return async () => {
    const before = clock();
    const { logits, state: next } = await advance(params, id, own);
    const elapsed = clock() - before;
    logits.dispose();
    own = next;
    return elapsed;
  };
}
const [frozen, fed] = [await decoder([0]), await decoder([])];
const times = { bound: [], frozen: [], fed: [], recompute: [] };
for (let round = -2; round < 2 * ROUNDS; round++) {
  const measured = {
    bound: await timed(async () => ({ y: await multiply(matrix, row) })),
    frozen: await frozen(),
    fed: await fed(),
    ...(round % 5 === 0 && { recompute: await timed(() => prefill(params, prompt)) }),
  };
  if (round >= 0) for (const [name, value] of Object.entries(measured)) times[name].push(value);
}
const copy = copyBandwidth();
const bytes = 4 * weights;
const report = (name, what) =>
  console.log(
    `${what}: median ${median(times[name]).toFixed(2)} ms (${Math.round(1000 / median(times[name]))} tokens/s), ` +
      `${(median(times[name]) / median(times.bound)).toFixed(2)} times the bound (fastest to fastest ${(fastest(times[name]) / fastest(times.bound)).toFixed(2)})`,
  );
const copying = { median: bytes / copy.median, fastest: bytes / copy.fastest };
console.log(
  `copy bandwidth: ${(copy.median / 1e6).toFixed(1)} GB/s, one thread; copying as many bytes takes ${copying.median.toFixed(2)} ms: ` +
    `the frozen step takes ${(median(times.frozen) / copying.median).toFixed(2)} times as long (fastest to fastest ${(fastest(times.frozen) / copying.fastest).toFixed(2)}), ` +
    `${((2 * median(times.frozen)) / copying.median).toFixed(2)} times what reading alone takes at the traffic of a copy`,
);
console.log(
  `bandwidth bound: reading ${(bytes / 1e6).toFixed(0)} MB once in a frozen product takes ${median(times.bound).toFixed(2)} ms (${(bytes / 1e6 / median(times.bound)).toFixed(1)} GB/s)`,
);
report('frozen', 'step, weights frozen into the graph');
report('fed', 'step, weights as inputs');
console.log(
  `without a cache a token would cost the whole prefill: ${(median(times.recompute) / median(times.frozen)).toFixed(1)} times the frozen step`,
);
dispose(state);
await engine.dispose();

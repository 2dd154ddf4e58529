// node bench/decode.mjs: cached decoding of a causal wiring against the parity generator, which computes its window anew for
// every token; whether the cost grows with the text; the bytes of the state.
import { createEngine, ndarray, Rng } from '../../tensor-core/dist/index.js';
import { CausalDecoder, createRsmModel, forwardChunk, initialMemory, stateBytesOf } from '../dist/index.js';
import { median, randomTokens } from './common.mjs';

const shapes = {
  'd 128, L 4': { hiddenSize: 128, numLayers: 4 },
  'd 256, L 8': { hiddenSize: 256, numLayers: 8 },
};
const ROUNDS = Number(process.env.ROUNDS ?? 20);
const engine = await createEngine('onnx');
console.log(
  `engine: ${engine.describe().runtime}, ${engine.describe().threads} threads; 32 slots, 65 ids, batch 1`,
);

/** Milliseconds of one token of the parity generator with a full window. */
async function recomputer(options) {
  const model = createRsmModel({ ...options, preset: 'parity', useGlobalSync: false });
  const params = engine.put(model.init(Rng.fromSeed(1)));
  const chunk = engine.compile(
    (weights, tokens, memory) => {
      const { logits, memory: next } = forwardChunk(model.options, weights, tokens, memory, {
        logits: 'last',
      });
      return { logits, memory: next };
    },
    { freeze: [0] },
  );
  const start = engine.compile((weights) => initialMemory(model.options, weights, 1));
  let memory = await start(params);
  const window = randomTokens(1, options.windowSize - 1, options.vocabSize);
  return async () => {
    const before = performance.now();
    const result = await chunk(params, window, memory);
    await result.logits.data();
    const elapsed = performance.now() - before;
    result.logits.dispose();
    memory.dispose();
    memory = result.memory;
    return elapsed;
  };
}

for (const [name, shape] of Object.entries(shapes)) {
  for (const windowSize of [256, 512]) {
    const options = { ...shape, vocabSize: 65, numHeads: 4, numMemorySlots: 32, windowSize, dropout: 0 };
    const model = createRsmModel(options);
    const decoder = await CausalDecoder.create({ engine, model, params: model.init(Rng.fromSeed(1)) });
    const recompute = await recomputer(options);
    await recompute();
    const token = [3];
    const tokenTime = async () => {
      const before = performance.now();
      await decoder.next(token);
      return performance.now() - before;
    };
    const [first, later, generator] = [[], [], []];
    // A first whole chunk, then the chunk at ten times its length; the generator in turn with both.
    for (const times of [first, later]) {
      for (let place = 0; place < windowSize; place++) {
        times.push(await tokenTime());
        if (place % Math.floor(windowSize / (ROUNDS / 2)) === 0) generator.push(await recompute());
      }
      if (times === first) await decoder.prefill(randomTokens(1, 8 * windowSize, 65));
    }
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    console.log(
      `${name}, C ${windowSize}: ${median(later).toFixed(2)} ms a token (mean with the write ${mean(later).toFixed(2)}), ` +
        `parity generator ${median(generator).toFixed(1)} ms: ${(median(generator) / median(later)).toFixed(0)} times ` +
        `(mean to mean ${(mean(generator) / mean(later)).toFixed(0)}); ` +
        `tenth chunk against the first ${(median(later) / median(first)).toFixed(2)}; state ${stateBytesOf(model.options)} bytes`,
    );
    await decoder.dispose();
  }
}
await engine.dispose();

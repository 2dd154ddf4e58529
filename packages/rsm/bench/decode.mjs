// node bench/decode.mjs: cached decoding of a causal wiring against the parity generator, which computes its window anew for
// every token; whether the cost grows with the text; the bytes of the state.
import { createEngine, Rng } from '../../tensor-core/dist/index.js';
import { CausalDecoder, createRsmModel, RecomputingReader, stateBytesOf } from '../dist/index.js';
import { measured, milliseconds, randomTokens, ratios } from './common.mjs';

const shapes = {
  'd 128, L 4': { hiddenSize: 128, numLayers: 4 },
  'd 256, L 8': { hiddenSize: 256, numLayers: 8 },
};
const ROUNDS = Number(process.env.ROUNDS ?? 20);
const engine = await createEngine('onnx');
console.log(
  `engine: ${engine.describe().runtime}, ${engine.describe().threads} threads; 32 slots, 65 ids, batch 1`,
);

/** Times of one token of the parity generator with a full window. */
async function recomputer(options) {
  const model = createRsmModel({ ...options, preset: 'parity', useGlobalSync: false });
  const reader = new RecomputingReader(engine, model.options, model.init(Rng.fromSeed(1)));
  await reader.read(randomTokens(1, options.windowSize - 1, options.vocabSize).data);
  return async () => (await measured(() => reader.logits())).time;
}

for (const [name, shape] of Object.entries(shapes)) {
  for (const windowSize of [256, 512]) {
    const options = { ...shape, vocabSize: 65, numHeads: 4, numMemorySlots: 32, windowSize, dropout: 0 };
    const model = createRsmModel(options);
    const decoder = await CausalDecoder.create({ engine, model, params: model.init(Rng.fromSeed(1)) });
    const recompute = await recomputer(options);
    await recompute();
    const token = [3];
    const tokenTime = async () => (await measured(() => decoder.next(token))).time;
    const [first, later, generator] = [[], [], []];
    // A first whole chunk, then the chunk at ten times its length; the generator in turn with both.
    // One chunk more before each, so that every graph is made and every function is optimised.
    for (const times of [[], first, later]) {
      for (let place = 0; place < windowSize; place++) {
        times.push(await tokenTime());
        if (place % Math.floor(windowSize / (ROUNDS / 2)) === 0) generator.push(await recompute());
      }
      if (times === first) await decoder.prefill(randomTokens(1, 7 * windowSize, 65));
    }
    const sum = (times) => ({
      wall: times.reduce((total, { wall }) => total + wall, 0) / times.length,
      cpu: times.reduce((total, { cpu }) => total + cpu, 0) / times.length,
    });
    console.log(
      `${name}, C ${windowSize}: ${milliseconds(later, 2)} a token, parity generator ${milliseconds(generator)}; state ${stateBytesOf(model.options)} bytes`,
    );
    console.log(
      `  times as fast as the generator: ${ratios(generator, later)}; means, with the writes: ${ratios([sum(generator)], [sum(later)])}`,
    );
    console.log(`  tenth chunk against the first: ${ratios(later, first)}`);
    await decoder.dispose();
  }
}
await engine.dispose();

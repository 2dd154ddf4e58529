// node bench/training.mjs: a training step of the default preset as a share of the GEMM peak, and the forms of several chunks
// against the chunk loop.
import {
  adamw,
  clipByGlobalNorm,
  createEngine,
  crossEntropy,
  Rng,
  tf,
  valueAndGradient,
} from '../../tensor-core/dist/index.js';
import { createRsmModel } from '../dist/index.js';
import { matrixProduct, measured, median, milliseconds, randomTokens, ratios, timed } from './common.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 12);
const vocabSize = 65;

/** The same model in both forms: a reset that never comes makes every chunk wait for the one before. */
const formsOf = (options) => ({
  loop: createRsmModel({ ...options, resetMemoryEvery: 1_000_000 }),
  parallel: createRsmModel(options),
});
const logitsOf = (model, weights, tokens, batch) =>
  model.forward(weights, tokens, model.initState(weights, batch), { training: true }).logits;

/** Multiply-adds of the matrix products of one token and block, twice (DERIVATION.md, "Fast forms"), for the fast parallel form. */
function forwardFlops({ hiddenSize: d, numLayers, chunkSize: c, numMemorySlots: m }, tokens) {
  const perToken = 12 * d * d + 2 * c * d + 2 * m * d + 2 * m * d;
  const perChunk = (4 + 2) * m * d * d;
  return 2 * (numLayers * (perToken + perChunk / c) + vocabSize * d) * tokens;
}

function trainer(engine, model, batch, time) {
  const optimiser = adamw({ betas: [0.9, 0.99], weightDecay: 0.1 });
  const step = engine.compile(
    ({ params, moments }, tokens, targets) => {
      const loss = (weights) => {
        const logits = logitsOf(model, weights, tokens, batch);
        return crossEntropy(
          tf.reshape(logits, [batch * time, vocabSize]),
          tf.reshape(targets, [batch * time]),
        );
      };
      const { value, gradients } = valueAndGradient(loss, params);
      const clipped = clipByGlobalNorm(gradients, 1);
      const next = optimiser.update(params, clipped.gradients, moments, { learningRate: tf.scalar(1e-3) });
      return { loss: value, state: { params: next.parameters, moments: next.state } };
    },
    { name: 'train', donate: [0] },
  );
  const params = model.init(Rng.fromSeed(1));
  let state = { params, moments: optimiser.init(params) };
  const [tokens, targets] = [randomTokens(batch, time, vocabSize), randomTokens(batch, time, vocabSize)];
  return async () => {
    const { result, time: elapsed } = await measured(() => step(state, tokens, targets));
    result.loss.dispose();
    state = result.state;
    return elapsed;
  };
}

const engine = await createEngine('onnx');
console.log(
  `engine: ${engine.describe().runtime}, ${engine.describe().threads} threads (PALIMPSEST_THREADS sets them)`,
);
const product = matrixProduct(engine);

async function share(name, shape, batch, chunks) {
  const model = createRsmModel({ vocabSize, numHeads: 4, dropout: 0, ...shape });
  const time = chunks * model.options.chunkSize;
  const advance = trainer(engine, model, batch, time);
  const traced = await advance();
  const [steps, products] = [[], []];
  // Interleaved, so that both see the same machine.
  for (let round = 0; round < ROUNDS; round++) {
    steps.push(await advance());
    for (let repeat = 0; repeat < 4; repeat++)
      products.push(await timed(async () => ({ c: await product.call() })));
  }
  const factor = (3 * forwardFlops(model.options, batch * time)) / product.flops;
  console.log(
    `${name}, batch ${batch} x ${chunks} chunks: ${milliseconds(steps, 0)} a step, ` +
      `${Math.round((batch * time * 1000) / median(steps.map(({ wall }) => wall)))} tokens/s; share of the GEMM peak: ` +
      `${ratios(products, steps, factor)} (first call ${traced.wall.toFixed(0)} ms)`,
  );
}

/** Forward alone, and forward with gradients, of N chunks in both forms, in turn. */
async function compare(shape, batch, chunks) {
  const models = formsOf({ vocabSize, numHeads: 4, dropout: 0, ...shape });
  const { options } = models.parallel;
  const tokens = randomTokens(batch, chunks * options.chunkSize, vocabSize);
  const params = engine.put(models.parallel.init(Rng.fromSeed(1)));
  const kinds = {
    forward: (model) => (weights, ids) => logitsOf(model, weights, ids, batch),
    'forward and gradients': (model) => (weights, ids) =>
      valueAndGradient((current) => tf.mean(tf.square(logitsOf(model, current, ids, batch))), weights)
        .gradients,
  };
  for (const [kind, of] of Object.entries(kinds)) {
    const calls = Object.values(models).map((model) => [engine.compile(of(model)), []]);
    for (let round = -2; round < 3 * ROUNDS; round++) {
      for (const [call, times] of calls) {
        const elapsed = await timed(() => call(params, tokens));
        if (round >= 0) times.push(elapsed);
      }
    }
    const [loop, parallel] = calls.map(([, times]) => times);
    console.log(
      `d ${options.hiddenSize}, L ${options.numLayers}, C ${options.chunkSize}, batch ${batch}, ${chunks} chunks, ${kind}: loop ${milliseconds(loop)}, ` +
        `at once ${milliseconds(parallel)}, times as fast: ${ratios(loop, parallel)}`,
    );
  }
}

const part = process.env.PART ?? 'all';
if (part !== 'forms') {
  const shape = { hiddenSize: 256, numLayers: 8, windowSize: 256 };
  await share('d 256, L 8, C 256, parallel', shape, 1, 4);
}
if (part !== 'share') {
  await compare({ hiddenSize: 64, numLayers: 8, windowSize: 16, numMemorySlots: 16 }, 1, 32);
  await compare({ hiddenSize: 64, numLayers: 8, windowSize: 64, numMemorySlots: 16 }, 1, 16);
}
await engine.dispose();

// node bench/training.mjs: one training step of a decoder of 4 layers and width 256, as a share of the GEMM peak.
import {
  adamw,
  clipByGlobalNorm,
  createEngine,
  crossEntropy,
  Rng,
  tf,
  valueAndGradient,
} from '../../tensor-core/dist/index.js';
import { createTransformer } from '../dist/index.js';
import {
  clock,
  countParameters,
  fastest,
  forwardFlops,
  matrixProduct,
  median,
  randomTokens,
} from './common.mjs';

const [batch, time, vocabSize] = [12, 64, 65];
const shapes = {
  'GPT-2 style': { positions: 'learned', activation: 'gelu' },
  'Llama style': { positions: 'rotary', norm: 'rms', activation: 'swiglu' },
  'Llama style, two key/value heads': {
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
    keyValueHeads: 2,
  },
};

function trainer(engine, model) {
  const optimiser = adamw({ betas: [0.9, 0.99], weightDecay: 0.1 });
  const step = engine.compile(
    ({ params, moments }, tokens, targets) => {
      const loss = (weights) => {
        const { logits } = model.forward(weights, tokens, model.initState(weights, batch), {
          training: true,
        });
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
    const before = clock();
    const result = await step(state, tokens, targets);
    const elapsed = clock() - before;
    result.loss.dispose();
    state = result.state;
    return elapsed;
  };
}

const engine = await createEngine('onnx');
console.log(
  `engine: ${engine.describe().runtime}, ${engine.describe().threads} threads; batch ${batch} x ${time} tokens`,
);
const product = matrixProduct(engine);
for (const [name, options] of Object.entries(shapes)) {
  const model = createTransformer({
    vocabSize,
    layers: 4,
    heads: 4,
    modelWidth: 256,
    context: time,
    ...options,
  });
  const advance = trainer(engine, model);
  const traced = await advance();
  const [steps, products] = [[], []];
  // Interleaved, so that both see the same machine.
  for (let round = 0; round < 25; round++) {
    steps.push(await advance());
    for (let repeat = 0; repeat < 2; repeat++) {
      const before = clock();
      (await product.call()).dispose();
      products.push(clock() - before);
    }
  }
  const flops = 3 * forwardFlops(model, batch, time);
  const share = (of) => flops / of(steps) / (product.flops / of(products));
  console.log(
    `${name} (${(countParameters(model.init(Rng.fromSeed(1))) / 1e6).toFixed(1)} M weights): ` +
      `median ${median(steps).toFixed(1)} ms a step, ${Math.round((batch * time * 1000) / median(steps))} tokens/s; ` +
      `share of the GEMM peak ${share(fastest).toFixed(2)} fastest to fastest, ${share(median).toFixed(2)} median to median ` +
      `(first call ${traced.toFixed(0)} ms)`,
  );
}
await engine.dispose();

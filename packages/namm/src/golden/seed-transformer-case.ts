import type { GoldenHandler } from '@palimpsest/base/golden';
import {
  crossEntropy,
  type Engine,
  type NDArray,
  ndarray,
  runOnce,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { type SeedTransformerConfig, type SeedWeights, seedForward } from '../open-namm/seed-transformer.js';

/** The seed's transformer: masks, activations, loss and gradients. */
export const seedTransformerCase: GoldenHandler = {
  system: 'namm',
  kind: 'open-namm-transformer',
  async run(testCase, context) {
    const engine = context.engine as Engine;
    const config = testCase.config as unknown as SeedTransformerConfig;
    const weights: SeedWeights<NDArray> = Object.fromEntries(
      [...testCase.weights()].map(([name, { data, shape }]) => [name, ndarray(data, shape)]),
    );
    const [ids, mask] = [testCase.array('in/ids'), testCase.array('in/mask')];
    const forward = (own: SeedTransformerConfig) => (tree: SeedWeights, tokens: tf.Tensor) =>
      seedForward(own, tree, tokens);
    const masked = (tree: SeedWeights, tokens: tf.Tensor, seen: tf.Tensor) =>
      seedForward(config, tree, tokens, seen);
    const loss = (tree: SeedWeights, tokens: tf.Tensor, targets: tf.Tensor) =>
      valueAndGradient((own: SeedWeights) => {
        const logits = seedForward(config, own, tokens);
        return crossEntropy(tf.reshape(logits, [-1, config.vocabSize]), tf.reshape(targets, [-1]));
      }, tree);
    const ones = ndarray(new Int32Array(mask.data.length).fill(1), mask.shape, 'int32');
    const trained = await runOnce(engine, loss, weights, ids, testCase.array('in/targets'));
    return {
      'out/logits': (await runOnce(engine, forward(config), weights, ids)).data,
      'out/logitsRelu': (await runOnce(engine, forward({ ...config, activation: 'relu' }), weights, ids))
        .data,
      'out/logitsMasked': (await runOnce(engine, masked, weights, ids, mask)).data,
      'out/logitsAllOnesMask': (await runOnce(engine, masked, weights, ids, ones)).data,
      'out/loss': trained.value.data,
      ...Object.fromEntries(
        Object.entries(trained.gradients).map(([name, gradient]) => [`grad/${name}`, gradient?.data ?? []]),
      ),
    };
  },
};

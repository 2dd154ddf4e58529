import {
  type AdamWState,
  adamw,
  clipByGlobalNorm,
  createEngine,
  type NDArray,
  ndarray,
  Rng,
  runOnce,
  type tf,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { VectorAdamW } from '../src/training/vector-adamw.js';
import { maxDifference } from './support/engine.js';

const SIZES = { long: 1037, short: 5 };
type Name = keyof typeof SIZES;
type Vectors = Record<Name, tf.Tensor>;
const NAMES = ['long', 'short'] as const;
const SETTINGS = { learningRate: 0.02, weightDecay: 0.1, gradClip: 1 };

const drawn = (rng: Rng, size: number, factor: number) =>
  Float32Array.from({ length: size }, () => factor * rng.normal());

describe('AdamW over vectors', () => {
  it.each([
    ['clips', 1],
    ['leaves small gradients as they are', 1e-4],
  ] as const)('takes the steps of the optimiser of graphs and %s', async (_name, scale) => {
    const engine = await createEngine('onnx', { threads: 1 });
    const rng = Rng.fromSeed(2);
    const vectors = new VectorAdamW<Name>(SIZES, SETTINGS);
    const optimizer = adamw({ weightDecay: SETTINGS.weightDecay });
    const draw = (factor: number): Record<Name, NDArray> => ({
      long: ndarray(drawn(rng, SIZES.long, factor), [SIZES.long]),
      short: ndarray(drawn(rng, SIZES.short, factor), [SIZES.short]),
    });
    let parameters = draw(1);
    let state = optimizer.init(parameters);
    for (const name of NAMES) vectors.parameters(name).set(parameters[name].data);
    const update = (p: Vectors, g: Vectors, s: AdamWState<Vectors>, learningRate: tf.Tensor) =>
      optimizer.update(p, clipByGlobalNorm(g, SETTINGS.gradClip).gradients, s, { learningRate });
    for (let turn = 0; turn < 5; turn++) {
      const gradients = draw(scale);
      for (const name of NAMES) vectors.gradient(name).set(gradients[name].data);
      vectors.step(NAMES);
      const rate = ndarray([SETTINGS.learningRate], []);
      ({ parameters, state } = await runOnce(engine, update, parameters, gradients, state, rate));
      for (const name of NAMES)
        expect(maxDifference(vectors.parameters(name), parameters[name].data)).toBeLessThan(1e-6);
    }
    await engine.dispose();
  });

  it('leaves what no gradient reaches alone', () => {
    const vectors = new VectorAdamW<Name>(SIZES, SETTINGS);
    vectors.parameters('long').fill(1);
    vectors.parameters('short').fill(1);
    vectors.gradient('long').fill(0.5);
    vectors.step(['long']);
    expect(vectors.parameters('short')).toEqual(new Float32Array(SIZES.short).fill(1));
    expect(vectors.parameters('long')[SIZES.long - 1]).toBeCloseTo(1 - 0.02 * 0.1 - 0.02, 5);
  });
});

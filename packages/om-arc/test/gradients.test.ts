import {
  createEngine,
  type Engine,
  type NDArray,
  Rng,
  runOnce,
  tf,
  treeLeaves,
  treeMap,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ArcformerParams } from '../src/arc.js';
import { ARCformer } from '../src/index.js';
import { lively, small, variants } from './support/variants.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

const { vocabSize: _vocabulary, initNgrams: _ngrams, ...size } = small;

/** One layer's weighted outputs as a scalar. */
function scalarOf(layer: ARCformer) {
  return (params: ArcformerParams, x: tf.Tensor, state: tf.Tensor) => {
    const { output, state: next } = layer.forward(params, x, state);
    const weigh = (tensor: tf.Tensor) => {
      const weights = tf.tensor(
        Float32Array.from({ length: tensor.size }, (_, i) => Math.sin(1 + 3 * i)),
        tensor.shape,
      );
      return tf.sum(tf.mul(tensor, weights));
    };
    return tf.add(weigh(output), weigh(next));
  };
}

it.each(Object.entries(variants))(
  'gradients of a layer are slopes: %s',
  async (_name, variant) => {
    const { initNgrams: _n, initConvs: _c, finalMlpMultiplier: mlpMultiplier, ...own } = variant;
    const layer = new ARCformer({ ...size, ...own, layerNum: 1, ...(mlpMultiplier && { mlpMultiplier }) });
    const params = lively((rng) => layer.init(rng), 3, 0.4);
    const rng = Rng.fromSeed(4);
    const [x, state] = [
      rng.normalArray([1, 4, size.dimInput]),
      rng.normalArray([1, size.stateLen, size.dimInput]),
    ];
    const scalar = scalarOf(layer);
    const gradients = await runOnce(
      engine,
      (tree: ArcformerParams, rows: tf.Tensor, memory: tf.Tensor) =>
        valueAndGradient((weights: ArcformerParams) => scalar(weights, rows, memory), tree).gradients,
      params as never,
      x,
      state,
    );
    const compiled = engine.compile(scalar);
    const value = async (tree: ArcformerParams<NDArray>) => {
      const result = await compiled(tree as never, x, state);
      const number = await result.item();
      result.dispose();
      return number;
    };
    // Along the gradient of every leaf in turn: the slope there is the gradient's length.
    for (const { path, leaf } of treeLeaves<NDArray>(gradients)) {
      const length = Math.sqrt(Array.from(leaf.data).reduce((sum, g) => sum + g * g, 0));
      if (length < 1e-3) continue;
      const step = 5e-3 / (1 + length);
      const moved = (sign: number) =>
        treeMap<NDArray, NDArray>(params, (own, at) =>
          at === path
            ? ({
                ...own,
                data: own.data.map((p, i) => p + (sign * step * leaf.data[i]!) / length),
              } as NDArray)
            : own,
        ) as ArcformerParams<NDArray>;
      const slope = ((await value(moved(1))) - (await value(moved(-1)))) / (2 * step);
      expect(Math.abs(slope - length) / (1 + length), path).toBeLessThan(0.05);
    }
    await compiled.dispose();
  },
  120_000,
);

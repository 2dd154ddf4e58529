import { normalInit, Rng, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { groupProduct } from '../src/group-product.js';
import { engines, maxDifference, read, withEngine } from './helpers.js';

describe.each(engines)('on %s', (name) => {
  it.each([
    [3, true],
    [3, false],
    [1, true],
  ])(
    'a product of %d rows a group is the matrix product, gradients included (transposed: %s)',
    async (count, transposed) => {
      await withEngine(name, async (engine) => {
        const rng = Rng.fromSeed(5);
        const rows = normalInit(rng, [2, 2, count, 4], 1);
        const matrix = normalInit(rng, transposed ? [2, 2, 5, 4] : [2, 2, 4, 5], 1);
        const through = (product: typeof groupProduct) =>
          engine.compile((a: tf.Tensor, b: tf.Tensor) =>
            valueAndGradient(
              (inputs: { a: tf.Tensor; b: tf.Tensor }) =>
                tf.sum(tf.tanh(product(inputs.a, inputs.b, transposed))),
              { a, b },
            ),
          );
        const plain = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, false, transposed);
        const values = await read(await through(groupProduct)(rows, matrix));
        const expected = await read(await through(plain)(rows, matrix));
        expect(Object.keys(values)).toHaveLength(3);
        for (const [path, data] of Object.entries(expected)) {
          expect(Math.max(...Array.from(data).map(Math.abs))).toBeGreaterThan(0.01);
          expect(maxDifference(values[path]!, data)).toBeLessThan(3e-6);
        }
      });
    },
  );
});

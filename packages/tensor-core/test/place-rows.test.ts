import { describe, expect, it } from 'vitest';
import { createEngine, ndarray, pickRows, runOnce, spreadRows, tf, valueAndGradient } from '../src/index.js';

const rows = ndarray(
  Float32Array.from({ length: 10 }, (_, i) => i + 1),
  [5, 2],
);
const places = ndarray(Int32Array.of(3, 0, 4), [3], 'int32');

describe.each(['cpu', 'onnx', 'wasm'] as const)('rows that are picked or spread (%s)', (name) => {
  it('are those of the places, and gradients go where they came from', async () => {
    const engine = await createEngine(name);
    try {
      const { picked, spread, toPicked, toSpread } = await runOnce(
        engine,
        (x: tf.Tensor, at: tf.Tensor) => {
          const weights = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
          const pick = valueAndGradient((y: tf.Tensor) => {
            const picked = pickRows(y, at);
            return [tf.sum(tf.mul(tf.square(picked), weights)), picked] as const;
          }, x);
          const part = tf.slice(x, [0, 0], [3, 2]);
          const spread = valueAndGradient((y: tf.Tensor) => {
            const spread = spreadRows(y, at, 6);
            const each = tf.reshape(tf.range(1, 13), [6, 2]);
            return [tf.sum(tf.mul(spread, each)), spread] as const;
          }, part);
          return {
            picked: pick.aux,
            spread: spread.aux,
            toPicked: pick.gradients as tf.Tensor,
            toSpread: spread.gradients as tf.Tensor,
          };
        },
        rows,
        places,
      );
      expect(Array.from(picked.data)).toEqual([7, 8, 1, 2, 9, 10]);
      expect(Array.from(toPicked.data)).toEqual([6, 16, 0, 0, 0, 0, 14, 32, 90, 120]);
      expect(Array.from(spread.data)).toEqual([3, 4, 0, 0, 0, 0, 1, 2, 5, 6, 0, 0]);
      expect(Array.from(toSpread.data)).toEqual([7, 8, 1, 2, 9, 10]);
    } finally {
      await engine.dispose();
    }
  });
});

describe('places that do not fit', () => {
  it('are named', () => {
    const x = tf.zeros([3, 2]);
    expect(() => pickRows(x, tf.tensor1d([0.5]))).toThrow('int32 places');
    expect(() => spreadRows(x, tf.tensor1d([1], 'int32'), 4)).toThrow('3 rows and 1 places');
    expect(() => spreadRows(x, tf.tensor1d([0, 1, 2], 'int32'), 2)).toThrow('a place of 2');
  });
});

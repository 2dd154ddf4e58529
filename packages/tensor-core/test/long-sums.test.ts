import { afterAll, describe, expect, test } from 'vitest';
import { createEngine, globalNorm, ndarray, tf } from '../src/index.js';
import { narrowEngine } from './support/narrow-engine.js';

// As long as sums get that are still exact to 1e-6: one accumulator of float32 stands still at 2^24 ones.
const COUNT = 2 ** 25;
const variants = [
  { title: 'onnx on two threads', engine: await createEngine('onnx', { threads: 2 }) },
  { title: 'onnx-web', engine: await createEngine('onnx-web') },
  { title: 'onnx, graphs of 32 bits', engine: await narrowEngine() },
  { title: 'wasm', engine: await createEngine('wasm') },
  { title: 'cpu', engine: await createEngine('cpu') },
];

afterAll(async () => {
  for (const { engine } of variants) await engine.dispose();
});

describe.each(variants)('on $title', ({ engine }) => {
  test.each([1, 0.1])(
    'sums of 2^25 times %d are exact',
    async (value) => {
      const term = Math.fround(value);
      const x = ndarray(new Float32Array(COUNT).fill(term), [COUNT]);
      const run = engine.compile((a: tf.Tensor) => {
        const columns = tf.reshape(a, [COUNT / 2, 2]);
        return {
          sum: tf.sum(a),
          mean: tf.mean(a),
          columns: tf.sum(columns, 0),
          norm: globalNorm({ a }),
          running: tf.slice(tf.cumsum(a), [COUNT - 1], [1]),
        };
      });
      const result = await run(x as never);
      const error = async (array: { data(): Promise<ArrayLike<number>> }, truth: number) =>
        Math.abs((await array.data())[0]! - truth) / truth;
      expect(await error(result.sum, COUNT * term)).toBeLessThan(1e-6);
      expect(await error(result.mean, term)).toBeLessThan(1e-6);
      expect(await error(result.columns, (COUNT / 2) * term)).toBeLessThan(1e-6);
      expect(await error(result.norm, Math.sqrt(COUNT) * term)).toBeLessThan(1e-6);
      expect(await error(result.running, COUNT * term)).toBeLessThan(1e-6);
      for (const array of Object.values(result)) array.dispose();
      await run.dispose();
    },
    300_000,
  );
});

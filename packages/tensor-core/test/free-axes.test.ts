import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addRmsNorm,
  cachedAttention,
  createEngine,
  type Engine,
  ndarray,
  Rng,
  rmsNorm,
  tf,
} from '../src/index.js';

let onnx: Engine;
let cpu: Engine;
beforeAll(async () => {
  onnx = await createEngine('onnx', { threads: 1 });
  cpu = await createEngine('cpu');
});
afterAll(() => Promise.all([onnx.dispose(), cpu.dispose()]));

const random = (...shape: number[]) => {
  const rng = Rng.fromSeed(shape.length);
  return ndarray(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    shape,
  );
};

interface Cache {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}
const step = (packed: tf.Tensor, cache: Cache, position: tf.Tensor) =>
  cachedAttention(packed, cache, position, 2);

describe('axes of any extent', () => {
  it('one graph serves all of them, and a cache is updated in place', async () => {
    const free = onnx.compile(step, { donate: [1], freeAxes: { 1: 2 } });
    const reference = cpu.compile(step);
    for (const slots of [4, 8, 6]) {
      const cache = { keys: random(1, 2, slots, 8), values: random(1, 2, slots, 8) };
      const position = ndarray(Int32Array.of(slots - 2), [1], 'int32');
      const given = [random(1, 48), cache, position] as const;
      const expected = await reference(...given);
      const found = await free(given[0], onnx.put(cache), position);
      expect(found.cache.keys.shape).toEqual([1, 2, slots, 8]);
      for (const part of ['keys', 'values'] as const) {
        expect(await found.cache[part].data()).toEqual(await expected.cache[part].data());
      }
      const [read, wanted] = [await found.read.data(), await expected.read.data()];
      wanted.forEach((value, index) => {
        expect(read[index]).toBeCloseTo(value, 5);
      });
    }
    expect(free.signatures).toBe(1);
    expect(onnx.memory().graphs).toBe(1);
    await free.dispose();
  });

  it('are refused in a result that updates no cache', async () => {
    const normal = onnx.compile(
      (x: tf.Tensor, y: tf.Tensor, gain: tf.Tensor) => addRmsNorm(x, y, gain).normal,
      {
        name: 'normal',
        freeAxes: { 0: 1, 1: 1 },
      },
    );
    await expect(normal(random(1, 3, 4), random(1, 3, 4), random(4))).rejects.toThrow(
      "The result of 'normal' has an axis of any extent, but updates no cache.",
    );
  });
});

it('a residual connection and its norm are those of two ops', async () => {
  const both = (x: tf.Tensor, y: tf.Tensor, gain: tf.Tensor) => addRmsNorm(x, y, gain, 1e-5);
  const inputs = [random(1, 3, 16), random(2, 3, 16), random(16)] as const;
  const [x, , gain] = inputs;
  const y = ndarray(inputs[1].data.slice(0, 48) as Float32Array, [1, 3, 16]);
  const expected = await cpu.compile((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => {
    const sum = tf.add(a, b);
    return { sum, normal: rmsNorm(sum, c, 1e-5) };
  })(x, y, gain);
  for (const engine of [onnx, cpu]) {
    const found = await engine.compile(both)(x, y, gain);
    for (const part of ['sum', 'normal'] as const) {
      const [values, wanted] = [await found[part].data(), await expected[part].data()];
      wanted.forEach((value, index) => {
        expect(values[index]).toBeCloseTo(value, 5);
      });
    }
  }
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine, type Engine, full, tf } from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(() => engine.dispose());

describe('a function whose results are constants', () => {
  const state = () =>
    engine.compile((x: tf.Tensor) => ({
      zeros: tf.zeros([...x.shape, 1000]),
      none: tf.fill([3], -1, 'int32'),
    }));

  it('is run without a graph of the runtime', async () => {
    const before = engine.memory().graphBytes;
    const { zeros, none } = await state()(full([2], 7));
    expect(engine.memory().graphBytes).toBe(before);
    expect(zeros.shape).toEqual([2, 1000]);
    expect((await zeros.data()).every((value) => value === 0)).toBe(true);
    expect(Array.from(await none.data())).toEqual([-1, -1, -1]);
  });

  it('gives the constants also where memory held something else before', async () => {
    const run = state();
    const add = engine.compile((x: tf.Tensor) => tf.add(x, 1));
    const first = await run(full([2], 7));
    const other = await add(first.zeros);
    first.zeros.dispose();
    other.dispose();
    for (let round = 0; round < 3; round++) {
      const { zeros } = await run(full([2], 7));
      expect((await zeros.data()).every((value) => value === 0)).toBe(true);
    }
  });

  it('is a graph when one of them is not', async () => {
    const run = engine.compile((x: tf.Tensor) => ({ zeros: tf.zeros([4]), twice: tf.mul(x, 2) }));
    const before = engine.memory().graphs;
    const { zeros, twice } = await run(full([2], 7));
    expect(engine.memory().graphs).toBe(before + 1);
    expect(Array.from(await zeros.data())).toEqual([0, 0, 0, 0]);
    expect(Array.from(await twice.data())).toEqual([14, 14]);
  });
});

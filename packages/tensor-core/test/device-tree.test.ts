import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  disposeTree,
  type Engine,
  isOnDevice,
  ndarray,
  runOnce,
  takeToHost,
  tf,
  toHost,
} from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  await engine.dispose();
});

const host = () => ({ a: ndarray(Float32Array.of(1, 2), [2]), nested: [{ b: ndarray(3) }] });

describe('trees of device arrays', () => {
  it('come back to the host as they went, and are given back', async () => {
    const device = engine.put(host());
    expect([isOnDevice(device), isOnDevice(host()), isOnDevice({})]).toEqual([true, false, false]);
    expect(await toHost(device)).toEqual(host());
    expect(engine.memory().arrays).toBe(2);
    expect(await takeToHost(device)).toEqual(host());
    expect(engine.memory().arrays).toBe(0);
    disposeTree([device, host()]);
  });

  it.each(['cpu', 'onnx'] as const)(
    'are copied into memory that is there, of their own type (%s)',
    async (name) => {
      const own = await createEngine(name);
      const array = own.put(ndarray(Float32Array.of(4, 5), [2]));
      const target = new Float32Array(3);
      await array.copyTo(target.subarray(1));
      expect(Array.from(target)).toEqual([0, 4, 5]);
      await expect(array.copyTo(target)).rejects.toThrow('2 values of float32');
      await expect(array.copyTo(new Int32Array(2))).rejects.toThrow('Int32Array');
      await own.dispose();
    },
  );

  it('may hold arrays that are on the host already', async () => {
    const mixed = { a: engine.put(ndarray(Float32Array.of(4), [1])), b: ndarray(5) };
    expect(await takeToHost(mixed)).toEqual({ a: ndarray(Float32Array.of(4), [1]), b: ndarray(5) });
  });

  it('are the result of a function that runs once, of which nothing stays', async () => {
    const twice = (tree: { readonly x: tf.Tensor }) => ({ y: tf.mul(tree.x, 2) });
    const result = await runOnce(engine, twice, { x: ndarray(Float32Array.of(1, 2), [2]) });
    expect([...result.y.data]).toEqual([2, 4]);
    expect(engine.memory().arrays).toBe(0);
  });
});

import { afterAll, expect, it } from 'vitest';
import { createEngine, type Engine, type NDArray, ndarray, tf, writeRows } from '../src/index.js';

const engine = await createEngine('onnx', { threads: 1 });
afterAll(() => engine.dispose());

const shared = (values: readonly number[]): Float32Array => {
  const array = new Float32Array(new SharedArrayBuffer(4 * values.length));
  array.set(values);
  return array;
};

/** Node.js 20 hands no memory that threads share to libraries. */
const isTaken = Number(process.versions.node.split('.')[0]) >= 22;

it('adopted arrays are read where they lie, and stay their owner’s', async () => {
  const before = engine.memory();
  const data = shared([1, 2]);
  const x = await engine.adopt!<NDArray>(ndarray(data, [2]));
  expect(x !== undefined).toBe(isTaken);
  if (!x) return;
  const twice = engine.compile((value: tf.Tensor) => tf.add(value, value));
  const read = async () => {
    const result = await twice(x);
    const values = [...(await result.data())];
    result.dispose();
    return values;
  };
  expect(await read()).toEqual([2, 4]);
  data[1] = 5;
  expect(await read()).toEqual([2, 10]);
  x.dispose();
  // Results of the same size are not written there.
  const other = engine.put(ndarray(Float32Array.of(7, 7), [2]));
  const result = await twice(other);
  expect([...data]).toEqual([1, 5]);
  for (const array of [other, result]) array.dispose();
  await twice.dispose();
  expect(engine.memory()).toEqual(before);
});

it('rows of an adopted cache that is donated are written into it', async () => {
  const cache = shared(Array.from({ length: 8 }, (_, i) => i));
  const write = engine.compile(
    (target: tf.Tensor, rows: tf.Tensor, slots: tf.Tensor) => writeRows(target, tf.add(rows, 1), slots),
    { donate: [0] },
  );
  const target = await engine.adopt!<NDArray>(ndarray(cache, [1, 1, 4, 2]));
  expect(target !== undefined).toBe(isTaken);
  if (!target) return;
  const rows = ndarray(Float32Array.of(40, 50), [1, 1, 1, 2]);
  const result = await write(target, rows, ndarray(Int32Array.of(2), [1, 1, 1], 'int32'));
  expect(target.isDisposed).toBe(true);
  expect([...cache]).toEqual([0, 1, 2, 3, 41, 51, 6, 7]);
  result.dispose();
  await write.dispose();
});

it('engines that compute elsewhere adopt nothing', async () => {
  const cpu: Engine = await createEngine('cpu');
  expect(cpu.adopt).toBeUndefined();
  await cpu.dispose();
});

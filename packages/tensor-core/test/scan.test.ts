import { afterAll, describe, expect, test } from 'vitest';
import { type DeviceArray, ndarray, scan, tf } from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
const named = engines.map((engine) => [engine.name, engine] as const);

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

async function lists(arrays: readonly DeviceArray[]): Promise<number[][]> {
  return Promise.all(arrays.map(async (array) => Array.from(await array.data())));
}

/** A running weighted sum with a matrix of the graph around it, and a constant that only the body knows. */
const runningSum = (reverse: boolean) => (entries: tf.Tensor, start: tf.Tensor, matrix: tf.Tensor) => {
  const outside = tf.mul(matrix, 2);
  const { carried, stacked } = scan({ carried: [start], scanned: [entries], reverse }, ([sum], [entry]) => {
    const next = tf.add(tf.matMul(sum!, outside), entry!);
    return { carried: [next], stacked: [tf.sub(next, tf.tensor2d([1, 3], [1, 2])), entry!] };
  });
  return [...carried, ...stacked, outside];
};

const inputs = [
  ndarray([1, 2, 3, 4, 5, 6], [3, 1, 2]),
  ndarray([1, -1], [1, 2]),
  ndarray([0, 1, 1, 0], [2, 2]),
] as const;

describe.each(named)('on %s', (_name, engine) => {
  test('turns follow each other, with what they see of the graph around them', async () => {
    const compiled = engine.compile(runningSum(false));
    const results = await compiled(...(inputs as never as [never, never, never]));
    // sum' = 2 · swapped(sum) + entry: [1,-1] -> [-1,4] -> [11,2] -> [9,28]
    expect(await lists(results)).toEqual([
      [9, 28],
      [-2, 1, 10, -1, 8, 25],
      [1, 2, 3, 4, 5, 6],
      [0, 2, 2, 0],
    ]);
    await compiled.dispose();
  });

  test('in reverse, with what is stacked at the place of its entry', async () => {
    const compiled = engine.compile(runningSum(true));
    const results = await compiled(...(inputs as never as [never, never, never]));
    // [1,-1] -> [3,8] -> [19,10] -> [21,40]
    expect(await lists(results)).toEqual([
      [21, 40],
      [20, 37, 18, 7, 2, 5],
      [1, 2, 3, 4, 5, 6],
      [0, 2, 2, 0],
    ]);
    await compiled.dispose();
  });

  test('one scan inside of another', async () => {
    const compiled = engine.compile((table: tf.Tensor) => {
      const outer = scan({ carried: [tf.zeros([])], scanned: [table], reverse: false }, ([total], [row]) => {
        const inner = scan({ carried: [total!], scanned: [row!], reverse: false }, ([sum], [entry]) => {
          const next = tf.add(tf.mul(sum!, 2), entry!);
          return { carried: [next], stacked: [next] };
        });
        return { carried: [inner.carried[0]!], stacked: [inner.stacked[0]!] };
      });
      return [outer.stacked[0]!];
    });
    const results = await compiled(ndarray([1, 2, 3, 4], [2, 2]) as never);
    expect(await lists(results)).toEqual([[1, 4, 11, 26]]);
    await compiled.dispose();
  });

  test('what does not fit is refused in a sentence', async () => {
    const changing = engine.compile(
      (entries: tf.Tensor) =>
        scan({ carried: [tf.zeros([1])], scanned: [entries], reverse: false }, ([sum], [entry]) => ({
          carried: [tf.concat([sum!, entry!])],
          stacked: [],
        })).carried,
    );
    await expect(changing(ndarray([1, 2], [2, 1]) as never)).rejects.toThrow(
      'A scan carries tensors of shape [1], but a turn gave [2].',
    );
    const uneven = engine.compile(
      (entries: tf.Tensor) =>
        scan({ carried: [], scanned: [entries, tf.zeros([3])], reverse: false }, () => ({
          carried: [],
          stacked: [],
        })).carried,
    );
    await expect(uneven(ndarray([1, 2], [2, 1]) as never)).rejects.toThrow(
      'one and the same number of entries along the first axis, at least one, but got [2, 1], [3].',
    );
  });
});

import { afterAll, describe, expect, test } from 'vitest';
import { conditional, type Engine, ndarray, tf } from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
const named = engines.map((engine) => [engine.name, engine] as const);

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

async function values(engine: Engine, fn: (...inputs: tf.Tensor[]) => unknown, ...inputs: unknown[]) {
  const compiled = engine.compile(fn);
  const outputs = (await compiled(...(inputs as never[]))) as Record<
    string,
    { data(): Promise<ArrayLike<number>> }
  >;
  const lists = await Promise.all(
    Object.entries(outputs).map(async ([name, array]) => [name, Array.from(await array.data())]),
  );
  for (const array of Object.values(outputs)) (array as unknown as { dispose(): void }).dispose();
  await compiled.dispose();
  return Object.fromEntries(lists);
}

describe.each(named)('on %s', (_name, engine) => {
  test('gives the branch that the predicate chooses, with what both share computed once', async () => {
    const fn = (x: tf.Tensor, matrix: tf.Tensor) => {
      const shared = tf.square(x);
      const chosen = conditional(
        tf.greater(tf.sum(x), 0),
        () => ({ y: tf.add(tf.reshape(tf.matMul(matrix, tf.reshape(shared, [2, 1])), [2]), 1), z: x }),
        () => ({ y: tf.neg(tf.sqrt(shared)), z: tf.zeros([2]) }),
      );
      return { ...chosen, after: tf.add(chosen.y, shared) };
    };
    const matrix = ndarray([1, 2, 3, 4], [2, 2]);
    expect(await values(engine, fn, ndarray([1, 2]), matrix)).toEqual({
      y: [10, 20],
      z: [1, 2],
      after: [11, 24],
    });
    expect(await values(engine, fn, ndarray([1, -2]), matrix)).toEqual({
      y: [-1, -2],
      z: [0, 0],
      after: [0, 2],
    });
  });

  test('results that nobody uses may be left', async () => {
    const fn = (x: tf.Tensor) => {
      const isPositive = tf.greater(tf.sum(x), 0);
      const { y } = conditional(
        isPositive,
        () => ({ y: tf.mul(x, 2), z: x }),
        () => ({ y: x, z: x }),
      );
      return { y };
    };
    expect(await values(engine, fn, ndarray([1, 2]))).toEqual({ y: [2, 4] });
  });

  test('nests', async () => {
    const fn = (x: tf.Tensor) => {
      const doubled = tf.mul(x, 2);
      return {
        y: conditional(
          tf.greater(tf.sum(x), 0),
          () =>
            conditional(
              tf.greater(tf.sum(doubled), 10),
              () => tf.add(doubled, 100),
              () => tf.add(tf.square(x), doubled),
            ),
          () => tf.square(x),
        ),
      };
    };
    expect(await values(engine, fn, ndarray([6]))).toEqual({ y: [112] });
    expect(await values(engine, fn, ndarray([3]))).toEqual({ y: [15] });
    expect(await values(engine, fn, ndarray([-3]))).toEqual({ y: [9] });
  });

  test('no gradient flows through', async () => {
    const fn = (x: tf.Tensor) => ({
      gradient: tf.grad((y) => {
        const fixed = conditional(
          tf.greater(tf.sum(x), 0),
          () => tf.square(y),
          () => y,
        );
        return tf.sum(tf.mul(y, fixed));
      })(x),
    });
    expect(await values(engine, fn, ndarray([3]))).toEqual({ gradient: [9] });
  });

  test('a predicate that is no bool is refused', async () => {
    const fn = (x: tf.Tensor) => ({
      y: conditional(
        x,
        () => x,
        () => x,
      ),
    });
    await expect(values(engine, fn, ndarray([3]))).rejects.toThrow('A condition is one bool');
  });
});

test('branches that differ are refused while the graph is made', async () => {
  const onnx = engines.find(({ name }) => name === 'onnx')!;
  const fn = (x: tf.Tensor) => ({
    y: conditional(
      tf.greater(tf.sum(x), 0),
      () => x,
      () => tf.concat([x, x]),
    ),
  });
  await expect(values(onnx, fn, ndarray([3]))).rejects.toThrow('must give the same tree');
});

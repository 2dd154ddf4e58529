import { afterAll, describe, expect, test } from 'vitest';
import { type Engine, full, ndarray, tf, zeros } from '../src/index.js';
import { loadableEngines } from './support/engines.js';

// Things that TensorFlow.js gets wrong or lacks, each with the check that would notice it here.
const engines = await loadableEngines();
const named = engines.map((engine) => [engine.name, engine] as const);

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

async function run(engine: Engine, fn: (...inputs: tf.Tensor[]) => tf.Tensor, ...inputs: unknown[]) {
  const compiled = engine.compile(fn);
  const output = await compiled(...(inputs as never[]));
  const values = Array.from(await output.data());
  output.dispose();
  await compiled.dispose();
  return values;
}

describe.each(named)('on %s', (name, engine) => {
  test('gradients are registered', async () => {
    expect(await run(engine, (x) => tf.grad((y) => tf.sum(tf.square(y)))(x!), ndarray([3]))).toEqual([6]);
  });

  test('the embedding gradient works, with repeated rows added', async () => {
    const gradient = await run(
      engine,
      (table, ids) => tf.grad((t) => tf.sum(tf.gather(t, tf.cast(ids!, 'int32'))))(table!),
      zeros([4, 2]),
      ndarray([1, 3, 1], [3], 'int32'),
    );
    expect(gradient).toEqual([0, 0, 2, 2, 0, 0, 1, 1]);
  });

  test('bias and activation are applied once in a long inner product', async () => {
    // tf.fused.matMul on wasm adds the bias once per 48 inner elements of batched operands: 116 instead of 106.
    const product = await run(
      engine,
      (a, b) => tf.relu(tf.add(tf.matMul(a!, b!), 10)),
      full([2, 1, 96], 1),
      full([2, 96, 1], 1),
    );
    expect(product).toEqual([106, 106]);
  });

  test('the gradient of a mirrored padding counts the mirrored copies', async () => {
    const gradient = await run(
      engine,
      (x) => tf.grad((y) => tf.sum(tf.mirrorPad(y, [[0, 2]], 'reflect')))(x!),
      ndarray([1, 2, 3]),
    );
    expect(gradient).toEqual([2, 2, 1]);
  });

  test('the gradient of a maximum is summed over broadcast axes', async () => {
    const gradient = await run(
      engine,
      (a, b) => tf.grad((y) => tf.sum(tf.maximum(a!, y)))(b!),
      ndarray([1, 5, 1, 5], [2, 2]),
      ndarray([3, 3]),
    );
    expect(gradient).toEqual([2, 0]);
  });

  test('elements that share a maximum or minimum divide its gradient', async () => {
    const rows = ndarray([1, 3, 3, 3, -2, -2, 0, 1], [2, 4]);
    const gradient = (reduce: (x: tf.Tensor) => tf.Tensor) =>
      run(engine, (x) => tf.grad((y) => tf.sum(tf.mul(reduce(y), tf.tensor1d([3, 6]))))(x!), rows);
    const largest = await gradient((x) => tf.max(x, 1));
    largest.forEach((value, i) => void expect(value).toBeCloseTo([0, 1, 1, 1, 0, 0, 0, 6][i]!, 6));
    const smallest = await gradient((x) => tf.squeeze(tf.min(x, [-1], true), [1]));
    smallest.forEach((value, i) => void expect(value).toBeCloseTo([3, 0, 0, 0, 3, 3, 0, 0][i]!, 6));
  });

  test('the gradient of an absolute value is 0 at 0', async () => {
    const gradient = await run(engine, (x) => tf.grad((y) => tf.sum(tf.abs(y)))(x!), ndarray([-2, 0, 3]));
    expect(gradient).toEqual([-1, 0, 1]);
  });

  test('the gradient of a cumulative sum keeps its axes', async () => {
    const gradient = await run(
      engine,
      (x) => tf.grad((y) => tf.sum(tf.cumsum(y, 0)))(x!),
      ndarray([1, 2, 3, 4, 5, 6], [3, 2]),
    );
    expect(gradient).toEqual([3, 3, 2, 2, 1, 1]);
  });

  test('a tensor that is unstacked or split into one part has a gradient', async () => {
    const gradient = await run(
      engine,
      (x) =>
        tf.grad((y) => tf.sum(tf.mul(tf.square(tf.unstack(y, 1)[0]!), tf.square(tf.split(y, 1, 0)[0]!))))(x!),
      ndarray([2], [1, 1]),
    );
    expect(gradient).toEqual([32]);
  });

  test('batches that broadcast in part multiply rightly', async () => {
    const product = await run(
      engine,
      (a, b) => tf.matMul(a!, b!),
      ndarray([1, 10], [2, 1, 1, 1]),
      ndarray([1, 2, 3, 4, 5, 6], [2, 3, 1, 1]),
    );
    expect(product).toEqual([1, 2, 3, 40, 50, 60]);
  });

  test.each([
    ['a comparison of a taped tensor', (x: tf.Tensor) => tf.sum(tf.cast(tf.greater(x, 0), 'float32'))],
    ['top-k values', (x: tf.Tensor) => tf.sum(tf.topk(x, 1).values)],
  ])('%s has no gradient and says so', async (_what, op) => {
    const attempt = run(engine, (x) => tf.grad((y) => op(y))(x!), ndarray([1, 2]));
    await expect(attempt, name).rejects.toThrow(/gradient/i);
  });
});

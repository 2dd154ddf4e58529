// What the benchmarks share: random tokens, medians, and the peak of a matrix product on this machine.
import { ndarray, normalInit, Rng, tf, treeLeaves } from '../../tensor-core/dist/index.js';

export const rng = Rng.fromSeed(7);
export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
export const fastest = (values) => Math.min(...values);

export const randomTokens = (batch, time, vocabulary) =>
  ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
    [batch, time],
    'int32',
  );

/** Milliseconds of one call that gives a tree of arrays, which are disposed. */
export async function timed(call) {
  const before = performance.now();
  const result = await call();
  const elapsed = performance.now() - before;
  for (const { leaf } of treeLeaves(result)) leaf.dispose();
  return elapsed;
}

/** A 1024³ product: 2.147 GFLOP. */
export function matrixProduct(engine, size = 1024) {
  const multiply = engine.compile((a, b) => tf.matMul(a, b));
  const { a, b } = engine.put({ a: normalInit(rng, [size, size], 1), b: normalInit(rng, [size, size], 1) });
  return { call: () => multiply(a, b), flops: 2 * size ** 3 };
}

// What the benchmarks share: random tokens, medians, and the peak of a matrix product on this machine.
import { ndarray, normalInit, Rng, tf, treeLeaves } from '../../tensor-core/dist/index.js';

/**
 * Milliseconds, of the wall or, with PROCESSOR_TIME=1, of this process's processor time: on a machine that others use
 * only the latter means something, and only with one thread (PALIMPSEST_THREADS=1), since waiting threads spin.
 */
export function clock() {
  if (!process.env.PROCESSOR_TIME) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export const rng = Rng.fromSeed(7);
export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
export const fastest = (values) => Math.min(...values);

export const randomTokens = (batch, time, vocabulary) =>
  ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
    [batch, time],
    'int32',
  );

export const countParameters = (tree) =>
  treeLeaves(tree).reduce((sum, { leaf }) => sum + leaf.data.length, 0);

/** Disposes every array of a tree. */
export const dispose = (tree) => {
  for (const { leaf } of treeLeaves(tree)) leaf.dispose();
};

/** Milliseconds of one call that gives a tree of arrays, which are disposed. */
export async function timed(call) {
  const before = clock();
  const result = await call();
  const elapsed = clock() - before;
  dispose(result);
  return elapsed;
}

/** A 1024³ product: 2.147 GFLOP. */
export function matrixProduct(engine, size = 1024) {
  const multiply = engine.compile((a, b) => tf.matMul(a, b));
  const { a, b } = engine.put({ a: normalInit(rng, [size, size], 1), b: normalInit(rng, [size, size], 1) });
  return { call: () => multiply(a, b), flops: 2 * size ** 3 };
}

/** Multiply-adds of the matrix products of a forward pass, twice: weights and attention. */
export function forwardFlops({ options }, batch, time) {
  const { layers, heads, keyValueHeads, headWidth, modelWidth, mlpWidth, vocabSize, activation } = options;
  const projections = (heads * 2 + keyValueHeads * 2) * headWidth * modelWidth;
  const mlp = (activation === 'swiglu' ? 3 : 2) * modelWidth * mlpWidth;
  const perToken = layers * (projections + mlp + 2 * time * heads * headWidth) + vocabSize * modelWidth;
  return 2 * perToken * batch * time;
}

/** Bytes copied per millisecond, of a block that fits in no cache. */
export function copyBandwidth(bytes = 2 ** 27, rounds = 12) {
  const [from, to] = [new Float32Array(bytes / 4).fill(1), new Float32Array(bytes / 4)];
  const times = Array.from({ length: rounds }, () => {
    const before = clock();
    to.set(from);
    return clock() - before;
  });
  return { median: bytes / median(times), fastest: bytes / fastest(times) };
}

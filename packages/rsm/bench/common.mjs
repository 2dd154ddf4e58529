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

/** Wall and CPU milliseconds of a call, and what it gave. The CPU's are those of all threads of this process. */
export async function measured(call) {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const result = await call();
  const elapsed = performance.now() - wall;
  const { user, system } = process.cpuUsage(cpu);
  return { result, time: { wall: elapsed, cpu: (user + system) / 1000 } };
}

/** The same for a call that gives a tree of arrays, which are disposed. */
export async function timed(call) {
  const { result, time } = await measured(call);
  for (const { leaf } of treeLeaves(result)) leaf.dispose();
  return time;
}

const clocks = ['wall', 'cpu'];

/** Median milliseconds by both clocks, as text. */
export const milliseconds = (times, digits = 1) =>
  `${median(times.map(({ wall }) => wall)).toFixed(digits)} ms (CPU ${median(times.map(({ cpu }) => cpu)).toFixed(digits)})`;

/** Ratios of two lists of times by both clocks: median to median, and fastest to fastest. */
export function ratios(over, under, factor = 1) {
  const ratio = (of, clock) =>
    (factor * of(over.map((time) => time[clock]))) / of(under.map((time) => time[clock]));
  return clocks
    .map(
      (clock) => `${clock} ${ratio(median, clock).toFixed(2)}, fastest ${ratio(fastest, clock).toFixed(2)}`,
    )
    .join('; ');
}

/** A 1024³ product: 2.147 GFLOP. */
export function matrixProduct(engine, size = 1024) {
  const multiply = engine.compile((a, b) => tf.matMul(a, b));
  const { a, b } = engine.put({ a: normalInit(rng, [size, size], 1), b: normalInit(rng, [size, size], 1) });
  return { call: () => multiply(a, b), flops: 2 * size ** 3 };
}

// What the benchmarks share: random ids, both clocks, medians, and the peak of a matrix product on this machine.
import { ndarray, normalInit, Rng, tf, treeLeaves } from '../../tensor-core/dist/index.js';

export const rng = Rng.fromSeed(7);
export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export const randomIds = (batch, time, vocabulary) =>
  ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
    [batch, time],
    'int32',
  );

/** Wall and CPU milliseconds of a call; the CPU's are those of all threads of this process. Arrays that it gives are disposed. */
export async function timed(call) {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const result = await call();
  const elapsed = performance.now() - wall;
  const { user, system } = process.cpuUsage(cpu);
  if (result && typeof result === 'object') for (const { leaf } of treeLeaves(result)) leaf?.dispose?.();
  return { wall: elapsed, cpu: (user + system) / 1000 };
}

/** Times of several calls, taken in turn so that a busy moment hits all of them, after one call each that is not counted. */
export async function inTurn(calls, rounds) {
  const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
  for (const call of Object.values(calls)) await timed(call);
  for (let round = 0; round < rounds; round++) {
    for (const [name, call] of Object.entries(calls)) times[name].push(await timed(call));
  }
  return times;
}

export const ratio = (over, under, clock) =>
  median(over.map((time) => time[clock])) / median(under.map((time) => time[clock]));

/** Ratios of two lists of times by both clocks, as text. */
export const ratios = (over, under) =>
  ['wall', 'cpu'].map((clock) => `${clock} ${ratio(over, under, clock).toFixed(2)}`).join(', ');

/** A 1024³ product: 2.147 GFLOP. */
export function matrixProduct(engine, size = 1024) {
  const multiply = engine.compile((a, b) => tf.matMul(a, b));
  const { a, b } = engine.put({ a: normalInit(rng, [size, size], 1), b: normalInit(rng, [size, size], 1) });
  return { call: () => multiply(a, b), flops: 2 * size ** 3 };
}

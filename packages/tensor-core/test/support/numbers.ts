import { type NDArray, ndarray, sizeOf } from '../../src/index.js';

/** Fixed, well-spread test values in (low, high), different for every seed. */
export function spread(
  shape: readonly number[],
  low: number,
  high: number,
  seed: number,
): NDArray<'float32'> {
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, index) => {
    const fraction = ((index + 1) * 0.6180339887 + seed * 0.7548776662) % 1;
    return low + (high - low) * fraction;
  });
  return ndarray(values, shape);
}

/** Largest |a - b| / max(1, |b|). */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [actual[i]!, expected[i]!];
    if (Object.is(x, y) || x === y) continue;
    const difference = Math.abs(x - y) / Math.max(1, Math.abs(y));
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }
  return largest;
}

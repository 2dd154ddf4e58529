import type { FloatArray } from './matrix.js';

/**
 * Places of the largest magnitudes among the `n` values from `from` on, counted from there: descending, ties to the lowest;
 * 0..n-1 in order when all are kept.
 */
export function largestOf(values: FloatArray, from: number, n: number, count: number): Int32Array {
  const chosen = new Int32Array(Math.min(count, n));
  largestInto(chosen, values, from, n, count);
  return chosen;
}

/** The same into the beginning of an array that is there; returns how many there are. */
export function largestInto(
  chosen: Int32Array,
  values: FloatArray,
  from: number,
  n: number,
  count: number,
): number {
  if (count >= n) {
    for (let i = 0; i < n; i++) chosen[i] = i;
    return n;
  }
  // The best so far, descending, in one pass; few are kept, so that most values fail the first test.
  let held = 0;
  let least = count === 0 ? Infinity : -1;
  for (let i = 0; i < n; i++) {
    const size = Math.abs(values[from + i]!);
    if (size <= least) continue;
    let place = held < count ? held++ : count - 1;
    for (; place > 0 && size > Math.abs(values[from + chosen[place - 1]!]!); place--)
      chosen[place] = chosen[place - 1]!;
    chosen[place] = i;
    if (held === count) least = Math.abs(values[from + chosen[count - 1]!]!);
  }
  return held;
}

import type { FloatArray } from './matrix.js';

/** Indices of the largest magnitudes, descending, ties to the lowest; 0..n-1 in order when all are kept. */
export function largestEntries(values: FloatArray, count: number): Int32Array {
  const n = values.length;
  if (count >= n) return Int32Array.from({ length: n }, (_, i) => i);
  // The best so far, descending, in one pass; few are kept, so that most values fail the first test.
  const chosen = new Int32Array(count);
  let held = 0;
  for (let i = 0; i < n; i++) {
    const size = Math.abs(values[i]!);
    if (held === count && (count === 0 || size <= Math.abs(values[chosen[count - 1]!]!))) continue;
    let place = held < count ? held++ : count - 1;
    for (; place > 0 && size > Math.abs(values[chosen[place - 1]!]!); place--)
      chosen[place] = chosen[place - 1]!;
    chosen[place] = i;
  }
  return chosen;
}

import type { FloatArray } from './matrix.js';

/** Indices of the largest magnitudes, descending, ties to the lowest; 0..n-1 in order when all are kept. */
export function largestEntries(values: FloatArray, count: number): Int32Array {
  const n = values.length;
  if (count >= n) return Int32Array.from({ length: n }, (_, i) => i);
  const chosen = new Int32Array(count);
  const taken = new Uint8Array(n);
  for (let c = 0; c < count; c++) {
    let best = -1;
    for (let i = 0; i < n; i++) {
      if (taken[i] === 0 && (best < 0 || Math.abs(values[i]!) > Math.abs(values[best]!))) best = i;
    }
    chosen[c] = best;
    taken[best] = 1;
  }
  return chosen;
}

const KEPT = 0.7;

/**
 * Running mean of a session's pooled states: the first one as it is, later 0.7 · old + 0.3 · new.
 * @returns a new array, `[width]`
 */
export function updatedSummary(old: Float32Array | undefined, hidden: ArrayLike<number>): Float32Array {
  if (!old) return Float32Array.from(hidden);
  return old.map((value, i) => KEPT * value + (1 - KEPT) * hidden[i]!);
}

/**
 * First age k at which a disturbance has fallen to half, interpolated log-linearly between chunks.
 * @param ratios r_k = |ΔM_k| / |ΔM_0| after k = 0, 1, 2 … chunks; r_0 = 1.
 * @returns Infinity when the last ratio is still above one half.
 */
export function halfLife(ratios: ArrayLike<number>): number {
  for (let k = 1; k < ratios.length; k++) {
    const after = ratios[k]!;
    if (after > 0.5) continue;
    const before = ratios[k - 1]!;
    // A ratio of 0 has no logarithm: everything was lost within this chunk, and the straight line says when.
    if (after <= 0) return k - 1 + (before - 0.5) / before;
    return k - 1 + Math.log(before / 0.5) / Math.log(before / after);
  }
  return Number.POSITIVE_INFINITY;
}

/** The value below which a share of the values lies, with linear interpolation between neighbours. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)]!;
  const high = sorted[Math.ceil(place)]!;
  // Between two infinities there is nothing to interpolate.
  return low === high ? low : low + (high - low) * (place - Math.floor(place));
}

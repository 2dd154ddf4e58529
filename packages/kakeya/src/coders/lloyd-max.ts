import { positiveLevels } from './lloyd-max-levels.js';

/** Most bits one component can get. */
export const MAX_BITS = 8;

/**
 * Mean squared error of a unit normal after b = 0 ... 8 bits of Lloyd-Max quantisation (Max 1960). These are the
 * figures bit allocations are made with; they belong to the tables of {@link lloydMaxLevels}.
 */
export const lloydMaxDistortion: readonly number[] = [
  1, 0.3633802276324186, 0.11748184782881155, 0.03454776078742467, 0.009501008006984724,
  0.0025046683544114323, 0.0006442396640379267, 0.00016347815027462076, 4.1111719732089824e-5,
];

/** The 2^bits levels of a unit normal, ascending, for bits = 1 ... 8. */
export function lloydMaxLevels(bits: number): Float64Array {
  const positive = positiveLevels[bits - 1]!;
  return Float64Array.from([...positive.map((level) => -level).reverse(), ...positive]);
}

/** Midpoints between neighbouring levels. */
export function thresholdsOf(levels: Float64Array): Float64Array {
  return Float64Array.from({ length: levels.length - 1 }, (_, i) => (levels[i]! + levels[i + 1]!) / 2);
}

/** Number of thresholds at or below x: the index of its level. */
export function levelIndex(thresholds: Float64Array, x: number): number {
  let low = 0;
  let high = thresholds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (thresholds[middle]! <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

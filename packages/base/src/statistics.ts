/** Sum / count; NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/**
 * Standard error of the mean of independent values: √(Σ (x − mean)² / (n − 1) / n). 0 of a single one, which tells nothing
 * of its spread; NaN of nothing.
 */
export function errorOfMean(values: ArrayLike<number>): number {
  const average = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - average) ** 2;
  return Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
}

/** The largest value, NaN when one is; `least` of nothing. Arguments of `Math.max` lie on the stack, which holds some 125,000. */
export function maximum(values: Iterable<number>, least = Number.NEGATIVE_INFINITY): number {
  let largest = least;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}

/** The smallest value, NaN when one is; Infinity of nothing. */
export function minimum(values: Iterable<number>): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (const value of values) smallest = Math.min(smallest, value);
  return smallest;
}

/** The middle value; the upper of the two middle ones of an even number. NaN of nothing. */
export function median(values: ArrayLike<number>): number {
  return Float64Array.from(values).sort()[values.length >> 1] ?? Number.NaN;
}

/** Quantile `q` in [0, 1], interpolated linearly between order statistics (Hyndman and Fan 1996, type 7). NaN of nothing. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const [a, b] = [sorted[low] ?? Number.NaN, sorted[Math.min(low + 1, sorted.length - 1)] ?? Number.NaN];
  return a + (at - low) * (b - a);
}

/** Quantile of the normal distribution for 95 %. */
const Z = 1.959963984540054;

/** The interval of Wilson (1927) for a share of `hits` in `count`, at 95 %: [0, 1] for no count. */
export function wilsonInterval(hits: number, count: number): readonly [low: number, high: number] {
  if (count === 0) return [0, 1];
  const share = hits / count;
  const denominator = 1 + Z ** 2 / count;
  const centre = (share + Z ** 2 / (2 * count)) / denominator;
  const half = (Z * Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2))) / denominator;
  return [Math.max(0, centre - half), centre + half];
}

/** The standard error that such an interval stands for: half its width over the quantile. Never zero, as that of a plain share is at 0 and 1. */
export const standardErrorOf = ([low, high]: readonly [low: number, high: number]): number =>
  (high - low) / (2 * Z);

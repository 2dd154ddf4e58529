import { errorOfMean, mean } from '@palimpsest/base';

/** One side of a comparison: what was measured, and how far it can be trusted. */
export interface Measured {
  readonly value: number;
  /** Value of every seed, where there are two or more. */
  readonly bySeed: readonly (readonly [seed: number, value: number])[];
  /** Over seeds from two on, else over the samples of the one run. */
  readonly standardError?: number | undefined;
  /** Without chance, as a table of counts: every seed would give this value. */
  readonly isExact: boolean;
}

/**
 * How a difference was judged. `paired`: differences within the seeds that both share (Student's t). `apart`: seeds that are
 * not shared (Welch's t). `samples`: one seed, the errors over samples alone. `none`: one seed, and no error at all.
 * `exact`: neither side has any chance in it.
 */
export type Rule = 'paired' | 'apart' | 'samples' | 'none' | 'exact';

export interface Comparison {
  /** How much better the first is; negative when it is worse. In the metric's unit. */
  readonly difference: number;
  /** Half of the 95 % interval around the difference; absent where nothing is known of it. */
  readonly margin?: number;
  readonly rule: Rule;
  /**
   * `noise`: the interval holds 0. `unknown`: one seed, and the difference is larger than the samples explain, so that it
   * may be chance of the run or not.
   */
  readonly outcome: 'ahead' | 'behind' | 'equal' | 'noise' | 'unknown';
}

/** Compares two measurements of one metric. */
export function compare(one: Measured, other: Measured, higherIsBetter: boolean): Comparison {
  const sign = higherIsBetter ? 1 : -1;
  const difference = sign * (one.value - other.value);
  if (one.isExact && other.isExact) return judged(difference, 0, 'exact');
  const pairs = sharedSeeds(one, other).map(([a, b]) => sign * (a - b));
  if (pairs.length >= 2) {
    const average = mean(pairs);
    // Where a seed that only one side has turns the order round, the shared ones do not tell who is better.
    const agrees = Math.sign(average) === Math.sign(difference);
    if (agrees) return judged(average, t975(pairs.length - 1) * errorOfMean(pairs), 'paired');
  }
  const sides = [one, other].filter(({ isExact }) => !isExact);
  if (sides.every(({ bySeed }) => bySeed.length >= 2)) return welch(difference, sides);
  const errors = sides.map(({ standardError }) => standardError);
  if (errors.some((error) => error === undefined)) {
    return { difference, rule: 'none', outcome: difference === 0 ? 'equal' : 'unknown' };
  }
  const margin = t975(Number.POSITIVE_INFINITY) * Math.hypot(...errors.map((error) => error ?? 0));
  const { outcome } = judged(difference, margin, 'samples');
  const isLarge = outcome === 'ahead' || outcome === 'behind';
  return { difference, margin, rule: 'samples', outcome: isLarge ? 'unknown' : outcome };
}

function judged(difference: number, margin: number, rule: Rule): Comparison {
  const isNoise = margin > 0 && Math.abs(difference) <= margin;
  const outcome = difference === 0 ? 'equal' : isNoise ? 'noise' : difference > 0 ? 'ahead' : 'behind';
  // Two that agree on the average and not seed by seed are not equal.
  return { difference, margin, rule, outcome: outcome === 'equal' && margin > 0 ? 'noise' : outcome };
}

function sharedSeeds(one: Measured, other: Measured): [number, number][] {
  const others = new Map(other.bySeed);
  return one.bySeed.flatMap(([seed, value]): [number, number][] => {
    const match = others.get(seed);
    return match === undefined ? [] : [[value, match]];
  });
}

/** Welch's interval; a side without chance adds no variance. */
function welch(difference: number, sides: readonly Measured[]): Comparison {
  const variances = sides.map(({ bySeed }) => errorOfMean(bySeed.map(([, value]) => value)) ** 2);
  const total = variances.reduce((sum, variance) => sum + variance, 0);
  const spread = variances.reduce(
    (sum, variance, index) => sum + variance ** 2 / (sides[index]!.bySeed.length - 1),
    0,
  );
  // Whole degrees, rounded down: a wider interval. One side alone has n − 1 of them, but for the rounding of the quotient.
  const freedom = spread === 0 ? 1 : Math.floor((total ** 2 / spread) * (1 + 1e-12));
  return judged(difference, t975(Math.max(1, freedom)) * Math.sqrt(total), 'apart');
}

/** 97.5 % quantiles of Student's t by degrees of freedom, from 1 on. */
const QUANTILES = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086,
];
const NORMAL = 1.95996;

function t975(freedom: number): number {
  if (freedom <= QUANTILES.length) return QUANTILES[freedom - 1]!;
  // Cornish and Fisher to the second order: within 0.0005 of the quantile from here on.
  const first = (NORMAL ** 3 + NORMAL) / 4;
  const second = (5 * NORMAL ** 5 + 16 * NORMAL ** 3 + 3 * NORMAL) / 96;
  return NORMAL + first / freedom + second / freedom ** 2;
}

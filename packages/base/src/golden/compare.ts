import type { Tolerance } from './tolerances.js';

/** How one output compares. */
export interface OutputComparison {
  readonly name: string;
  readonly passed: boolean;
  readonly exact: boolean;
  /** Number of compared values. */
  readonly count: number;
  /** Largest |actual - expected|; infinite where only one side is NaN or infinite. */
  readonly maxAbs: number;
  /** |expected| where that stands: an error says little without the size of its value. */
  readonly maxAbsAt: number;
  /** Largest |actual - expected| / |expected| over the values that differ and whose expected value is not zero. */
  readonly maxRel: number;
  /** Largest share of the tolerance that was used: the output passes up to 1. */
  readonly toleranceUsed: number;
  readonly atol: number;
  readonly rtol: number;
  /** Index of the worst value, or -1 when all are equal. */
  readonly worstIndex: number;
  /** Why it fails, in one sentence. */
  readonly reason?: string;
}

const AGREEMENT = {
  passed: true,
  maxAbs: 0,
  maxAbsAt: 0,
  maxRel: 0,
  toleranceUsed: 0,
  worstIndex: -1,
} as const;

/** An output that cannot be compared, or one side of which is missing. */
export function refusal(name: string, reason: string): OutputComparison {
  const far = Number.POSITIVE_INFINITY;
  const bounds = { atol: 0, rtol: 0, exact: true };
  return {
    name,
    passed: false,
    count: 0,
    maxAbs: far,
    maxAbsAt: 0,
    maxRel: far,
    toleranceUsed: far,
    worstIndex: 0,
    reason,
    ...bounds,
  };
}

/** Compares texts, which must be equal. */
export function compareTexts(name: string, actual: string, expected: string): OutputComparison {
  if (actual !== expected) return refusal(name, `expected ${shorten(expected)} but got ${shorten(actual)}`);
  return { ...AGREEMENT, name, exact: true, atol: 0, rtol: 0, count: expected.length };
}

export interface NumbersToCompare {
  readonly actual: ArrayLike<number>;
  readonly expected: ArrayLike<number>;
  /** Compare where it is not 0. */
  readonly mask?: ArrayLike<number | boolean> | undefined;
  /** Rows of the first axis, for tolerances of single rows. */
  readonly rows?: number | undefined;
}

/**
 * Applies a tolerance to every value: |actual - expected| <= atol + rtol |expected|, or equality. Equal infinities and a NaN
 * on both sides agree.
 */
export function compareNumbers(
  name: string,
  values: NumbersToCompare,
  tolerance: Tolerance,
): OutputComparison {
  const { actual, expected, mask, rows = 1 } = values;
  const { atol, rtol, exact } = tolerance;
  if (actual.length !== expected.length) {
    return refusal(name, `expected ${expected.length} values but got ${actual.length}`);
  }
  if (mask !== undefined && mask.length !== expected.length) {
    return refusal(name, `the mask has ${mask.length} entries for ${expected.length} values`);
  }
  if (!(atol >= 0 && rtol >= 0)) {
    return refusal(name, `the tolerances ${atol} and ${rtol} are not both 0 or more`);
  }
  const width = expected.length / rows;
  const worst = { maxAbs: 0, maxAbsAt: 0, maxRel: 0, toleranceUsed: 0, worstIndex: -1, count: 0 };
  for (let index = 0; index < expected.length; index++) {
    if (mask !== undefined && Number(mask[index]) === 0) continue;
    worst.count += 1;
    const [value, target] = [actual[index]!, expected[index]!];
    if (value === target || (Number.isNaN(value) && Number.isNaN(target))) continue;
    const difference = finiteOrInfinite(Math.abs(value - target));
    const bound = tolerance.rows.get(Math.floor(index / width)) ?? tolerance;
    const allowed = exact ? 0 : bound.atol + bound.rtol * Math.abs(target);
    const used = finiteOrInfinite(difference / allowed);
    if (difference > worst.maxAbs) Object.assign(worst, { maxAbs: difference, maxAbsAt: Math.abs(target) });
    if (target !== 0) worst.maxRel = Math.max(worst.maxRel, finiteOrInfinite(difference / Math.abs(target)));
    if (used > worst.toleranceUsed) Object.assign(worst, { toleranceUsed: used, worstIndex: index });
  }
  if (worst.count === 0 && expected.length > 0) return refusal(name, 'the mask leaves nothing to compare');
  const result = { name, atol, rtol, exact, ...worst };
  if (worst.toleranceUsed <= 1) return { ...result, passed: true };
  const { worstIndex: at } = worst;
  const rule = exact ? 'equality' : `atol ${atol} + rtol ${rtol}`;
  return {
    ...result,
    passed: false,
    reason: `value ${at} is ${actual[at]} where ${expected[at]} was expected (${rule})`,
  };
}

/** NaN stands for "not comparable", which is as far off as it gets. */
function finiteOrInfinite(value: number): number {
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

function shorten(value: string): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

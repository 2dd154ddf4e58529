import type { OutputComparison, ParityOutput } from './types.js';

/**
 * Applies an output's tolerance to every value: |actual - expected| <= atol + rtol * |expected|, or equality for exact
 * outputs and for strings. Equal infinities and a NaN on both sides agree.
 */
export function compareOutput(output: ParityOutput): OutputComparison {
  const { name, atol, rtol } = output;
  const base = { name, atol, rtol, exact: output.exact === true || typeof output.expected === 'string' };
  const refuse = (reason: string): OutputComparison => ({
    ...base,
    passed: false,
    count: 0,
    maxAbs: Number.POSITIVE_INFINITY,
    maxRel: Number.POSITIVE_INFINITY,
    toleranceUsed: Number.POSITIVE_INFINITY,
    worstIndex: 0,
    reason,
  });
  if (typeof output.actual === 'string' || typeof output.expected === 'string') {
    if (output.actual === output.expected) return { ...base, ...AGREEMENT, count: output.expected.length };
    return refuse(`expected ${shorten(output.expected)} but got ${shorten(output.actual)}`);
  }
  if (output.actual.length !== output.expected.length) {
    return refuse(`expected ${output.expected.length} values but got ${output.actual.length}`);
  }
  if (output.expected.length === 0) return { ...base, ...AGREEMENT, count: 0 };
  if (!(atol >= 0 && rtol >= 0)) return refuse(`the tolerances ${atol} and ${rtol} are not both 0 or more`);
  return compareNumbers(output.actual, output.expected, base);
}

const AGREEMENT = { passed: true, maxAbs: 0, maxRel: 0, toleranceUsed: 0, worstIndex: -1 } as const;

type Base = Pick<OutputComparison, 'name' | 'atol' | 'rtol' | 'exact'>;

function compareNumbers(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  base: Base,
): OutputComparison {
  let maxAbs = 0;
  let maxRel = 0;
  let toleranceUsed = 0;
  let worstIndex = -1;
  for (let index = 0; index < expected.length; index++) {
    const target = expected[index]!;
    const value = actual[index]!;
    if (value === target || (Number.isNaN(value) && Number.isNaN(target))) continue;
    const difference = finiteOrInfinite(Math.abs(value - target));
    maxAbs = Math.max(maxAbs, difference);
    if (target !== 0) maxRel = Math.max(maxRel, finiteOrInfinite(difference / Math.abs(target)));
    const allowed = base.exact ? 0 : base.atol + base.rtol * Math.abs(target);
    const used = finiteOrInfinite(difference / allowed);
    if (used > toleranceUsed) {
      toleranceUsed = used;
      worstIndex = index;
    }
  }
  const passed = toleranceUsed <= 1;
  const result = { ...base, passed, count: expected.length, maxAbs, maxRel, toleranceUsed, worstIndex };
  if (passed) return result;
  const rule = base.exact ? 'equality' : `atol ${base.atol} + rtol ${base.rtol}`;
  return {
    ...result,
    reason: `value ${worstIndex} is ${actual[worstIndex]} where ${expected[worstIndex]} was expected (${rule})`,
  };
}

/** NaN stands for "not comparable", which is as far off as it gets. */
function finiteOrInfinite(value: number): number {
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

function shorten(value: ArrayLike<number> | string): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : `${value.length} numbers`;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

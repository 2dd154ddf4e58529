import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareOutput } from '../src/index.js';

const output = (
  actual: ArrayLike<number> | string,
  expected: ArrayLike<number> | string,
  atol = 0,
  rtol = 0,
) => ({
  name: 'out',
  actual,
  expected,
  atol,
  rtol,
});

describe('compareOutput', () => {
  it('applies atol + rtol * |expected| to every value and names the worst', () => {
    const result = compareOutput(output([1.05, -10.3, 0.02], [1, -10, 0], 0.2, 0.02));
    expect(result).toMatchObject({ passed: true, count: 3, worstIndex: 1, exact: false });
    expect(result.maxAbs).toBeCloseTo(0.3, 12);
    expect(result.maxRel).toBeCloseTo(0.05, 12);
    expect(result.toleranceUsed).toBeCloseTo(0.3 / (0.2 + 0.2), 12);
  });

  it('fails the value beyond its tolerance and says which', () => {
    const result = compareOutput(output([1, 2.2], [1, 2], 0.1));
    expect(result.passed).toBe(false);
    expect(result.reason).toBe('value 1 is 2.2 where 2 was expected (atol 0.1 + rtol 0)');
  });

  it('wants equality of exact outputs, whatever the tolerance', () => {
    expect(compareOutput({ ...output([3], [3], 1), exact: true }).passed).toBe(true);
    expect(compareOutput({ ...output([3.0000001], [3], 1), exact: true })).toMatchObject({
      passed: false,
      toleranceUsed: Number.POSITIVE_INFINITY,
    });
  });

  it('fails on another number of values, and on strings that differ', () => {
    expect(compareOutput(output([1, 2], [1], 9)).reason).toBe('expected 1 values but got 2');
    expect(compareOutput(output('abc', 'abd')).reason).toBe('expected "abd" but got "abc"');
    expect(compareOutput(output('abc', 'abc')).passed).toBe(true);
    expect(compareOutput(output([1], 'abc')).passed).toBe(false);
  });

  it('lets equal infinities and NaN on both sides agree, and nothing else of that kind', () => {
    const odd = [Number.NEGATIVE_INFINITY, Number.NaN];
    expect(compareOutput(output(odd, odd)).passed).toBe(true);
    for (const [actual, expected] of [
      [Number.NaN, 1],
      [1, Number.NaN],
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [1, Number.POSITIVE_INFINITY],
      [Number.POSITIVE_INFINITY, 1],
    ] as const) {
      expect(compareOutput(output([actual], [expected], 1e9, 1)).passed).toBe(false);
    }
  });

  it('refuses tolerances that are no numbers', () => {
    expect(compareOutput(output([1], [1], Number.NaN)).passed).toBe(false);
    expect(compareOutput(output([1], [1], -1)).passed).toBe(false);
  });

  it('passes exactly when every value is within its tolerance', () => {
    const number = fc.double({ min: -100, max: 100, noNaN: true });
    const pairs = fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 20 });
    const tolerance = fc.double({ min: 0.001, max: 50, noNaN: true });
    fc.assert(
      fc.property(pairs, tolerance, fc.double({ min: 0, max: 2, noNaN: true }), (values, atol, rtol) => {
        const actual = values.map(([value]) => value);
        const expected = values.map(([, value]) => value);
        const within = values.every(([a, e]) => Math.abs(a - e) / (atol + rtol * Math.abs(e)) <= 1);
        return compareOutput(output(actual, expected, atol, rtol)).passed === within;
      }),
    );
  });
});

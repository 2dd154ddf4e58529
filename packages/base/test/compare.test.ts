import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareNumbers, compareTexts } from '../src/golden/compare.js';

const compare = (actual: ArrayLike<number>, expected: ArrayLike<number>, atol = 0, rtol = 0, exact = false) =>
  compareNumbers('out', { actual, expected }, { atol, rtol, exact, rows: new Map() });

describe('compareNumbers', () => {
  it('applies atol + rtol * |expected| to every value and names the worst', () => {
    const result = compare([1.05, -10.3, 0.02], [1, -10, 0], 0.2, 0.02);
    expect(result).toMatchObject({ passed: true, count: 3, worstIndex: 1, exact: false });
    expect(result.maxAbs).toBeCloseTo(0.3, 12);
    expect(result.maxAbsAt).toBe(10);
    expect(result.maxRel).toBeCloseTo(0.05, 12);
    expect(result.toleranceUsed).toBeCloseTo(0.3 / (0.2 + 0.2), 12);
  });

  it('fails the value beyond its tolerance and says which', () => {
    const result = compare([1, 2.2], [1, 2], 0.1);
    expect(result.passed).toBe(false);
    expect(result.reason).toBe('value 1 is 2.2 where 2 was expected (atol 0.1 + rtol 0)');
  });

  it('wants equality of exact outputs, whatever the tolerance', () => {
    expect(compare([3], [3], 1, 0, true).passed).toBe(true);
    expect(compare([3.0000001], [3], 1, 0, true)).toMatchObject({
      passed: false,
      toleranceUsed: Number.POSITIVE_INFINITY,
    });
  });

  it('fails on another number of values, and on texts that differ', () => {
    expect(compare([1, 2], [1], 9).reason).toBe('expected 1 values but got 2');
    expect(compareTexts('out', 'abc', 'abd').reason).toBe('expected "abd" but got "abc"');
    expect(compareTexts('out', 'abc', 'abc').passed).toBe(true);
  });

  it('lets equal infinities and NaN on both sides agree, and nothing else of that kind', () => {
    const odd = [Number.NEGATIVE_INFINITY, Number.NaN];
    expect(compare(odd, odd).passed).toBe(true);
    for (const [actual, expected] of [
      [Number.NaN, 1],
      [1, Number.NaN],
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [1, Number.POSITIVE_INFINITY],
      [Number.POSITIVE_INFINITY, 1],
    ] as const) {
      expect(compare([actual], [expected], 1e9, 1).passed).toBe(false);
    }
  });

  it('refuses tolerances that are no numbers', () => {
    expect(compare([1], [1], Number.NaN).passed).toBe(false);
    expect(compare([1], [1], -1).passed).toBe(false);
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
        return compare(actual, expected, atol, rtol).passed === within;
      }),
    );
  });

  it('takes another tolerance for a row, and leaves out what is masked', () => {
    const values = { actual: [1, 2, 3.4, 4], expected: [1, 2, 3, 4], rows: 2 };
    const strict = { atol: 0.1, rtol: 0, exact: false };
    expect(compareNumbers('x', values, { ...strict, rows: new Map() })).toMatchObject({
      passed: false,
      worstIndex: 2,
    });
    expect(
      compareNumbers('x', values, { ...strict, rows: new Map([[1, { atol: 0.5, rtol: 0 }]]) }).passed,
    ).toBe(true);
    expect(
      compareNumbers('x', values, { ...strict, rows: new Map([[0, { atol: 0.5, rtol: 0 }]]) }).passed,
    ).toBe(false);
    const masked = compareNumbers('x', { ...values, mask: [1, 1, 0, 1] }, { ...strict, rows: new Map() });
    expect(masked).toMatchObject({ passed: true, count: 3 });
    const nothing = compareNumbers('x', { ...values, mask: [0, 0, 0, 0] }, { ...strict, rows: new Map() });
    expect(nothing.reason).toContain('leaves nothing');
  });
});

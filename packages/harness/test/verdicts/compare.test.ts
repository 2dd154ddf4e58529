import { errorOfMean } from '@palimpsest/base';
import { describe, expect, it } from 'vitest';
import { compare, type Measured } from '../../src/report/verdicts/compare.js';

/** Values of the seeds 1, 2, 3 … */
const over = (...values: number[]): Measured => ({
  value: values.reduce((sum, value) => sum + value, 0) / values.length,
  bySeed: values.map((value, index) => [index + 1, value]),
  isExact: false,
});
const single = (value: number, standardError?: number): Measured => ({
  value,
  bySeed: [],
  standardError,
  isExact: false,
});
const counted = (value: number): Measured => ({ value, bySeed: [], isExact: true });

describe('seeds that both share', () => {
  it('are compared pair by pair, with the interval of Student', () => {
    // Differences 1, 2, 3: mean 2, standard error 1/√3, t(2) = 4.303.
    const { difference, margin, rule, outcome } = compare(over(11, 22, 33), over(10, 20, 30), true);
    expect(difference).toBeCloseTo(2, 10);
    expect(margin).toBeCloseTo(4.303 / Math.sqrt(3), 10);
    expect([rule, outcome]).toEqual(['paired', 'noise']);
  });

  it('find what the spread between seeds hides', () => {
    const [one, other] = [over(12, 52, 92.3), over(10, 50, 90)];
    expect(compare(one, other, true)).toMatchObject({ rule: 'paired', outcome: 'ahead' });
    expect(compare(other, one, true)).toMatchObject({ rule: 'paired', outcome: 'behind' });
    // The same values of other seeds tell nothing.
    const elsewhere = { ...other, bySeed: other.bySeed.map(([seed, value]) => [seed + 10, value] as const) };
    expect(compare(one, elsewhere, true)).toMatchObject({ rule: 'apart', outcome: 'noise' });
  });

  it('turn round where lower is better', () => {
    const { difference, outcome } = compare(over(0.5, 0.51, 0.5), over(0.6, 0.61, 0.6), false);
    expect(difference).toBeCloseTo(0.1, 10);
    expect(outcome).toBe('ahead');
  });

  it('are equal only when every seed is', () => {
    expect(compare(over(100, 100), over(100, 100), true).outcome).toBe('equal');
    expect(compare(over(99, 101), over(101, 99), true).outcome).toBe('noise');
    expect(compare(over(100, 100), over(99, 99), true)).toMatchObject({ margin: 0, outcome: 'ahead' });
  });

  it('do not decide when a seed of one side alone turns the order round', () => {
    const one = { ...over(10, 10, 40), value: 20 };
    const other = over(12, 13);
    expect(compare(one, other, true).rule).toBe('apart');
  });
});

describe('seeds that are not shared', () => {
  it('give the interval of Welch', () => {
    const one = over(10, 12, 14);
    const other: Measured = {
      value: 3,
      isExact: false,
      bySeed: [
        [7, 2],
        [8, 3],
        [9, 4],
      ],
    };
    const { difference, margin, rule, outcome } = compare(one, other, true);
    // Standard errors 2/√3 and 1/√3; freedom (5/3)² / ((4/3)²/2 + (1/3)²/2) = 2.94, taken as 2.
    expect(difference).toBe(9);
    expect(margin).toBeCloseTo(4.303 * Math.sqrt(5 / 3), 6);
    expect([rule, outcome]).toEqual(['apart', 'ahead']);
  });

  it('of a table of counts are not needed', () => {
    expect(compare(over(0.5, 0.52, 0.51), counted(0.64), false)).toMatchObject({
      rule: 'apart',
      outcome: 'ahead',
    });
    expect(compare(over(0.5, 0.9, 0.51), counted(0.64), false).outcome).toBe('noise');
    expect(compare(counted(0.7), counted(0.6), false)).toMatchObject({ rule: 'exact', outcome: 'behind' });
    expect(compare(counted(0.6), counted(0.6), false).outcome).toBe('equal');
  });

  it.each([
    [3, 3.182],
    [7, 2.365],
    [21, 2.0796],
    [30, 2.0423],
    [39, 2.0227],
    [120, 1.9799],
  ])('of many have the quantile of Student too: %i degrees of freedom', (freedom, quantile) => {
    const values = Array.from({ length: freedom + 1 }, (_, index) => 3 + (index % 2 === 0 ? 1 : -1));
    const { margin } = compare(over(...values), counted(0), true);
    expect(margin! / errorOfMean(values)).toBeCloseTo(quantile, 3);
  });
});

describe('one seed', () => {
  it('knows no noise between runs: a large difference stays unknown', () => {
    expect(compare(single(90, 1), single(50, 1), true)).toMatchObject({
      rule: 'samples',
      outcome: 'unknown',
    });
    expect(compare(single(90), single(50), true)).toEqual({
      difference: 40,
      rule: 'none',
      outcome: 'unknown',
    });
  });

  it('still tells differences that the samples explain, and equal values', () => {
    expect(compare(single(90, 1), single(88, 1), true).outcome).toBe('noise');
    expect(compare(single(100, 0), single(100, 0), true).outcome).toBe('equal');
    expect(compare(single(100), single(100), true).outcome).toBe('equal');
  });

  it('of one side alone is enough for doubt', () => {
    expect(compare(over(90, 91, 92), single(50, 1), true).outcome).toBe('unknown');
  });
});

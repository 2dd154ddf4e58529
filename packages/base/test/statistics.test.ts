import { describe, expect, it } from 'vitest';
import { errorOfMean, maximum, minimum } from '../src/index.js';
import { textTable } from '../src/text/table.js';

/** More than the stack takes as arguments of one call. */
const MANY = 300_000;

describe('extremes', () => {
  it('are those of any number of values', () => {
    const values = Float64Array.from({ length: MANY }, (_, index) => Math.sin(index));
    values[7] = -3;
    values[MANY - 1] = 5;
    expect([minimum(values), maximum(values), maximum(values, 6)]).toEqual([-3, 5, 6]);
  });

  it('of nothing are infinite or what is given, and NaN goes before all', () => {
    expect([minimum([]), maximum([]), maximum([], 0)]).toEqual([Infinity, -Infinity, 0]);
    expect([minimum([1, Number.NaN, 0]), maximum([1, Number.NaN, 2])]).toEqual([Number.NaN, Number.NaN]);
  });

  it('set columns of any number of rows', () => {
    const rows = Array.from({ length: MANY }, (_, index) => [String(index)]);
    expect(textTable(['n'], rows, ['right']).split('\n').slice(0, 3)).toEqual(['     n', '------', '     0']);
  });
});

it('the standard error of a mean has n − 1 in the variance, and is 0 of a single value', () => {
  expect(errorOfMean([1, 2, 3])).toBeCloseTo(1 / Math.sqrt(3), 12);
  expect(errorOfMean(Float32Array.of(5))).toBe(0);
  expect(errorOfMean([])).toBeNaN();
});

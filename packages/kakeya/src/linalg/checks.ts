import { expect } from '../errors.js';
import type { Matrix } from './matrix.js';

/** Refuses NaN and infinities, naming the row, before they can reach a decomposition or a store. */
export function expectFiniteRows(m: Matrix, what: string): void {
  // 0 times a number that is not finite is NaN, and stays so in a sum: one pass without a test per number.
  let zero = 0;
  for (let i = 0; i < m.data.length; i++) zero += 0 * m.data[i]!;
  if (zero === 0) return;
  for (let i = 0; i < m.data.length; i++) {
    if (Number.isFinite(m.data[i]!)) continue;
    const row = Math.floor(i / m.cols);
    expect(false, () => {
      return `${what}: row ${row}, column ${i % m.cols} is ${m.data[i]}; every number must be finite, so clean or drop that row.`;
    });
  }
}

/** Refuses a vector of another length or with a NaN or infinity in it. */
export function expectVector(v: ArrayLike<number>, length: number, what: string): void {
  expect(v.length === length, () => `${what} has ${v.length} numbers where ${length} were expected.`);
  for (let i = 0; i < length; i++) {
    expect(
      Number.isFinite(v[i]!),
      () => `${what} has ${v[i]} at position ${i}; every number must be finite.`,
    );
  }
}

/** Refuses anything but a whole number in [low, high]. */
export function expectInteger(
  value: number,
  low: number,
  what: string,
  high = Number.MAX_SAFE_INTEGER,
): void {
  expect(Number.isInteger(value) && value >= low && value <= high, () => {
    const range = high === Number.MAX_SAFE_INTEGER ? `at least ${low}` : `from ${low} to ${high}`;
    return `${what} is ${value}; it must be a whole number ${range}.`;
  });
}

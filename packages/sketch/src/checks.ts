import { InputError } from '@palimpsest/base';

/** Largest size that the 32-bit buckets of a table can number. */
const LARGEST_SIZE = 2 ** 31 - 1;

/** @throws InputError naming the argument unless it is a positive integer below 2^31. */
export function positiveInteger(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InputError(`${name} must be a positive integer, but is ${value}.`);
  }
  if (value > LARGEST_SIZE) {
    throw new InputError(`${name} must be at most ${LARGEST_SIZE}, but is ${value}.`);
  }
}

/** @throws InputError naming the argument, the expected and the given length. */
export function expectLength(values: ArrayLike<unknown>, length: number, name: string): void {
  if (values.length !== length) {
    throw new InputError(`${name} must have ${length} values, but has ${values.length}.`);
  }
}

/**
 * The number of rows of a flat array whose last axis is known.
 * @throws InputError unless the length is a multiple of the last axis
 */
export function countRows(values: ArrayLike<unknown>, lastAxis: number, name: string): number {
  if (values.length % lastAxis !== 0) {
    throw new InputError(
      `${name} must hold whole rows of ${lastAxis} values, but has ${values.length} values in all.`,
    );
  }
  return values.length / lastAxis;
}

/** @throws InputError naming the first value that is NaN. */
export function expectNumbers(values: ArrayLike<number>, name: string): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) throw new InputError(`${name} holds NaN at element ${i}.`);
  }
}

/** @throws InputError naming the argument, its value and the choices. */
export function expectOneOf(value: string, choices: readonly string[], name: string): void {
  if (!choices.includes(value)) {
    throw new InputError(`${name} must be one of ${choices.join(', ')}, but is ${JSON.stringify(value)}.`);
  }
}

/** @throws InputError unless `index` is one of [0, dim). */
export function expectIndex(index: number, dim: number, name: string): void {
  if (!Number.isInteger(index) || index < 0 || index >= dim) {
    throw new InputError(`${name} must be an integer from 0 to ${dim - 1}, but is ${index}.`);
  }
}

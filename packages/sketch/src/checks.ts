/** @throws RangeError naming the argument unless it is a positive integer. */
export function positiveInteger(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${name} must be a positive integer, but is ${value}.`);
  }
}

/** @throws RangeError naming the argument, the expected and the given length. */
export function expectLength(values: ArrayLike<unknown>, length: number, name: string): void {
  if (values.length !== length) {
    throw new RangeError(`${name} must have ${length} values, but has ${values.length}.`);
  }
}

/** @throws RangeError naming the first value that is NaN. */
export function expectNumbers(values: ArrayLike<number>, name: string): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) throw new RangeError(`${name} holds NaN at element ${i}.`);
  }
}

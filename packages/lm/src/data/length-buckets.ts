import { InputError } from '@palimpsest/tensor-core';

export interface LengthBucketOptions {
  /** The first length; shorter texts are padded to it. Default 16, or the longest when that is less. */
  readonly shortest?: number;
  /** Lengths per doubling: with 4, padding takes at most a fifth of a text, with 1 at most half. Default 4. */
  readonly perDoubling?: number;
}

/**
 * The few lengths to which texts of many lengths are padded, so that few graphs are compiled: 16, 20, 24, 28, 32, 40, 48,
 * 56, 64, 80, … up to the longest, which is the last of them.
 * @throws InputError for numbers that are not positive and whole.
 */
export function lengthBuckets(longest: number, options: LengthBucketOptions = {}): number[] {
  const { shortest = Math.min(16, longest), perDoubling = 4 } = options;
  for (const [name, value] of Object.entries({ longest, shortest, perDoubling })) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new InputError(
      `Lengths of batches need '${name}' as a positive whole number, but ${value} was given.`,
    );
  }
  const lengths = new Set<number>();
  for (let start = shortest; start < longest; start *= 2) {
    for (let part = 0; part < perDoubling; part++) {
      const length = Math.ceil(start * (1 + part / perDoubling));
      if (length < longest) lengths.add(length);
    }
  }
  return [...lengths, longest].sort((a, b) => a - b);
}

import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { afterAll, beforeAll } from 'vitest';

/** A cpu engine for the tests of a file. */
export function withEngine(): () => Engine {
  let engine: Engine | undefined;
  beforeAll(async () => {
    engine = await createEngine('cpu');
  });
  afterAll(() => engine?.dispose());
  return () => engine!;
}

/** Length of each row of `[rows, width]`. */
export function lengths(data: ArrayLike<number>, width: number): number[] {
  return Array.from({ length: data.length / width }, (_, row) =>
    Math.hypot(...Array.from({ length: width }, (_, i) => data[row * width + i]!)),
  );
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }
  return largest;
}

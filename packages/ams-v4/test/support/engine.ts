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
  return Math.max(
    ...Array.from(a, (value, i) => (Number.isNaN(value - b[i]!) ? Infinity : Math.abs(value - b[i]!))),
  );
}

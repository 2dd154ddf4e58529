import { positiveInteger } from './checks.js';
import { Mt19937 } from './mt19937.js';

/** A hash table h: [d] → [m] with signs s: [d] → {−1, +1}. */
export interface SketchTable {
  /** Input length d. */
  readonly dim: number;
  /** Sketch length m. */
  readonly sketchDim: number;
  /** Bucket of every input. */
  readonly index: Int32Array;
  /** −1 or +1 for every input. */
  readonly sign: Float32Array;
}

export interface TableOptions {
  readonly dim: number;
  readonly sketchDim: number;
  readonly seed: number;
}

/**
 * Draws a table from a seed: first all buckets, then all signs, from one stream. For one seed it equals the
 * reference's table bit for bit.
 * @throws RangeError for sizes that are no positive integers
 */
export function createTable({ dim, sketchDim, seed }: TableOptions): SketchTable {
  positiveInteger(dim, 'dim');
  positiveInteger(sketchDim, 'sketchDim');
  const generator = new Mt19937(seed);
  const index = Int32Array.from({ length: dim }, () => generator.nextInt(sketchDim));
  const sign = Float32Array.from({ length: dim }, () => 2 * generator.nextInt(2) - 1);
  return { dim, sketchDim, index, sign };
}

/** Independent tables from consecutive seeds, one per factor of a TensorSketch. */
export function createIndependentTables(degree: number, options: TableOptions): SketchTable[] {
  positiveInteger(degree, 'degree');
  return Array.from({ length: degree }, (_, factor) =>
    createTable({ ...options, seed: options.seed + factor }),
  );
}

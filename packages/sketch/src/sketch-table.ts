import { InputError } from '@palimpsest/base';
import { firstDifference, sameValues } from './arrays.js';
import { expectLength, expectOneOf, positiveInteger } from './checks.js';
import { kWiseHash } from './k-wise-hash.js';
import { Mt19937 } from './mt19937.js';

/** A hash table h: [d] → [m] with signs s: [d] → {−1, +1}. */
export interface SketchTable {
  /** Input length d. */
  readonly dim: number;
  /** Sketch length m. */
  readonly sketchDim: number;
  /** Bucket of every input, `[d]`. */
  readonly index: Int32Array;
  /** −1 or +1 for every input, `[d]`. */
  readonly sign: Float32Array;
}

/**
 * How a table is drawn: 'mt19937' takes buckets and signs from a Mersenne Twister, bit for bit as the reference does;
 * 'polynomial' takes pairwise independent buckets and 4-wise independent signs from `kWiseHash`.
 */
export type TableFamily = 'mt19937' | 'polynomial';

export interface TableOptions {
  /** Input length d. */
  readonly dim: number;
  /** Sketch length m; may be shorter than d and any positive integer. */
  readonly sketchDim: number;
  readonly seed: number;
  /** Default 'mt19937'. */
  readonly family?: TableFamily;
}

/**
 * Draws a table from a seed. The family 'mt19937' draws first all buckets, then all signs, from one stream.
 * @throws InputError for sizes that are no positive integers, or an unknown family
 */
export function createTable({ dim, sketchDim, seed, family = 'mt19937' }: TableOptions): SketchTable {
  positiveInteger(dim, 'dim');
  positiveInteger(sketchDim, 'sketchDim');
  expectOneOf(family, ['mt19937', 'polynomial'], 'family');
  const generator = new Mt19937(seed);
  const index = new Int32Array(dim);
  const sign = new Float32Array(dim);
  if (family === 'polynomial') {
    const bucketHash = kWiseHash(2, generator);
    const signHash = kWiseHash(4, generator);
    for (let i = 0; i < dim; i++) {
      index[i] = bucketHash.bucket(i, sketchDim);
      sign[i] = signHash.sign(i);
    }
  } else {
    for (let i = 0; i < dim; i++) index[i] = generator.nextInt(sketchDim);
    for (let i = 0; i < dim; i++) sign[i] = 2 * generator.nextInt(2) - 1;
  }
  return { dim, sketchDim, index, sign };
}

/**
 * Independent tables from the consecutive seeds `seed`, `seed + 1`, …, one per factor of a TensorSketch. Sets that must
 * be independent of one another need seeds at least `degree` apart.
 */
export function createIndependentTables(degree: number, options: TableOptions): SketchTable[] {
  positiveInteger(degree, 'degree');
  return Array.from({ length: degree }, (_, factor) =>
    createTable({ ...options, seed: options.seed + factor }),
  );
}

/** A table before its lists become typed arrays. */
type PlainTable = Pick<SketchTable, 'dim' | 'sketchDim'> & {
  readonly index: ArrayLike<number>;
  readonly sign: ArrayLike<number>;
};

/**
 * Accepts a table that came from outside.
 * @throws InputError naming the first size, bucket or sign that is wrong
 */
export function expectTable(table: PlainTable, name = 'The table'): void {
  const { dim, sketchDim, index, sign } = table;
  positiveInteger(dim, `${name}: dim`);
  positiveInteger(sketchDim, `${name}: sketchDim`);
  expectLength(index, dim, `${name}: index`);
  expectLength(sign, dim, `${name}: sign`);
  for (let i = 0; i < dim; i++) {
    if (!Number.isInteger(index[i]) || index[i]! < 0 || index[i]! >= sketchDim) {
      throw new InputError(
        `${name}: the bucket of input ${i} must be from 0 to ${sketchDim - 1}, but is ${index[i]}.`,
      );
    }
    if (sign[i] !== 1 && sign[i] !== -1) {
      throw new InputError(`${name}: the sign of input ${i} must be -1 or 1, but is ${sign[i]}.`);
    }
  }
}

/**
 * Accepts two tables only when they are the same map.
 * @param action what was attempted, for the message: 'merge'
 * @throws InputError naming the first size, bucket or sign that differs
 */
export function expectSameTable(a: SketchTable, b: SketchTable, action: string): void {
  if (a === b) return;
  const fail = (what: string, here: unknown, there: unknown): never => {
    throw new InputError(
      `Cannot ${action} sketches of different tables: ${what} is ${here} here and ${there} there. ` +
        'Build both from one table.',
    );
  };
  if (a.dim !== b.dim) fail('dim', a.dim, b.dim);
  if (a.sketchDim !== b.sketchDim) fail('sketchDim', a.sketchDim, b.sketchDim);
  if (!sameValues(a.index, b.index)) {
    const i = firstDifference(a.index, b.index);
    fail(`the bucket of input ${i}`, a.index[i], b.index[i]);
  }
  if (!sameValues(a.sign, b.sign)) {
    const i = firstDifference(a.sign, b.sign);
    fail(`the sign of input ${i}`, a.sign[i], b.sign[i]);
  }
}

import { compactTable } from './compact-table.js';
import type { SketchTable } from './sketch-table.js';

/** Live sum buckets that the same number of pairs reaches. */
export interface LoadGroup {
  /** Ordered pairs per bucket. */
  readonly load: number;
  /** Pairs a · uB + b, bucket after bucket in ascending order; `load` of them for each. */
  readonly pairs: Int32Array;
}

/** Which pairs of used buckets of two tables add up to which bucket of the convolution of their sketches. */
export interface SumBucketPlan {
  /** Buckets of the convolution that can be other than zero, ascending. */
  readonly live: Int32Array;
  /** For every pair a · uB + b of used buckets, the place of its sum in `live`. */
  readonly pairToLive: Int32Array;
  /** The live buckets by load, ascending, so that a segment sum becomes gather, reshape and sum. */
  readonly groups: readonly LoadGroup[];
}

/**
 * Plans the direct convolution of two sketches.
 * @throws RangeError when the sketch lengths differ
 */
export function sumBucketPlan(tableA: SketchTable, tableB: SketchTable = tableA): SumBucketPlan {
  if (tableA.sketchDim !== tableB.sketchDim) {
    throw new RangeError(
      `The tables have sketch lengths ${tableA.sketchDim} and ${tableB.sketchDim}; they must be equal.`,
    );
  }
  const usedA = compactTable(tableA).used;
  const usedB = compactTable(tableB).used;
  const pairsOf = new Map<number, number[]>();
  usedA.forEach((a, placeA) => {
    usedB.forEach((b, placeB) => {
      const bucket = (a + b) % tableA.sketchDim;
      const pairs = pairsOf.get(bucket) ?? [];
      pairs.push(placeA * usedB.length + placeB);
      pairsOf.set(bucket, pairs);
    });
  });
  const live = Int32Array.from([...pairsOf.keys()].sort((a, b) => a - b));
  const pairToLive = new Int32Array(usedA.length * usedB.length);
  const byLoad = new Map<number, number[]>();
  live.forEach((bucket, place) => {
    const pairs = pairsOf.get(bucket)!;
    for (const pair of pairs) pairToLive[pair] = place;
    byLoad.set(pairs.length, [...(byLoad.get(pairs.length) ?? []), ...pairs]);
  });
  const groups = [...byLoad.entries()]
    .sort(([a], [b]) => a - b)
    .map(([load, pairs]) => ({ load, pairs: Int32Array.from(pairs) }));
  return { live, pairToLive, groups };
}

import { InputError } from '@palimpsest/base';
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
 * Plans the direct convolution of two sketches: every bucket outside `live` is zero for all inputs
 * (DERIVATION.md, "Direct products").
 * @throws InputError when the sketch lengths differ
 */
export function sumBucketPlan(tableA: SketchTable, tableB: SketchTable = tableA): SumBucketPlan {
  const { sketchDim } = tableA;
  if (sketchDim !== tableB.sketchDim) {
    throw new InputError(
      `The tables have sketch lengths ${sketchDim} and ${tableB.sketchDim}; they must be equal.`,
    );
  }
  const sums = pairSums(compactTable(tableA).used, compactTable(tableB).used, sketchDim);
  const load = new Int32Array(sketchDim);
  for (const bucket of sums) load[bucket] = load[bucket]! + 1;
  const live = Int32Array.from(load.keys()).filter((bucket) => load[bucket]! > 0);
  const place = new Int32Array(sketchDim);
  live.forEach((bucket, at) => {
    place[bucket] = at;
  });
  return { live, pairToLive: sums.map((bucket) => place[bucket]!), groups: groupByLoad(sums, live, load) };
}

/** The sum bucket of every pair a · uB + b of two lists of buckets. */
export function pairSums(usedA: Int32Array, usedB: Int32Array, sketchDim: number): Int32Array {
  const sums = new Int32Array(usedA.length * usedB.length);
  let pair = 0;
  for (const a of usedA) {
    for (const b of usedB) {
      sums[pair] = (a + b) % sketchDim;
      pair += 1;
    }
  }
  return sums;
}

function groupByLoad(sums: Int32Array, live: Int32Array, load: Int32Array): LoadGroup[] {
  const bucketsOfLoad = new Map<number, number>();
  for (const bucket of live) {
    bucketsOfLoad.set(load[bucket]!, (bucketsOfLoad.get(load[bucket]!) ?? 0) + 1);
  }
  const groups = new Map<number, Int32Array>();
  for (const each of [...bucketsOfLoad.keys()].sort((a, b) => a - b)) {
    groups.set(each, new Int32Array(each * bucketsOfLoad.get(each)!));
  }
  // Where the next pair of every bucket goes: buckets of one load lie behind each other in ascending order.
  const next = new Int32Array(load.length);
  const filled = new Map<number, number>();
  for (const bucket of live) {
    const each = load[bucket]!;
    next[bucket] = filled.get(each) ?? 0;
    filled.set(each, next[bucket]! + each);
  }
  sums.forEach((bucket, pair) => {
    groups.get(load[bucket]!)![next[bucket]!] = pair;
    next[bucket] = next[bucket]! + 1;
  });
  return [...groups].map(([each, pairs]) => ({ load: each, pairs }));
}

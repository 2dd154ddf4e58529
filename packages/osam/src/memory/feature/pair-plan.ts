import { type LoadGroup, type SketchTable, type SumBucketPlan, sumBucketPlan } from '@palimpsest/sketch';

/** How the products of two compact sketches are summed into the buckets of their convolution by gather, reshape and sum. */
export interface BucketSums {
  /** Live sum buckets in the order of the load classes; their number is R. */
  readonly live: Int32Array;
  /** For every bucket of m its place in `live`, or R for a dead bucket. */
  readonly place: Int32Array;
  readonly classes: readonly LoadClass[];
}

/**
 * Live buckets that `load` pairs reach, or a few less: `pairs` is laid out [load, buckets] and filled up with the number
 * uQuery * uKey, which stands for a row of zeros.
 */
export interface LoadClass {
  readonly load: number;
  readonly buckets: number;
  readonly pairs: Int32Array;
}

/** All pairs a * uKey + b, and the way back from buckets to pairs. */
export interface PairPlan extends BucketSums {
  /** For every pair its place in `live`. */
  readonly pairToLive: Int32Array;
  /** Sum bucket of every pair. */
  readonly pairToBucket: Int32Array;
  /**
   * The same for a single token, where every operation counts more than its size: few classes, and of two pairs (a, b) and
   * (b, a) of a shared table only the first.
   */
  readonly single: BucketSums;
}

/** Share of filling that saves a class: every class is three more operations, every filling one more row to copy. */
const FILLING = 0.04;
const SINGLE_FILLING = 0.2;

export function planPairs(query: SketchTable, key: SketchTable): PairPlan {
  const plan = sumBucketPlan(query, key);
  const pairToBucket = plan.pairToLive.map((at) => plan.live[at]!);
  const layOut = (groups: readonly LoadGroup[], filling: number) =>
    layOutClasses(groups, pairToBucket, query.sketchDim, filling);
  const all = layOut(plan.groups, FILLING);
  const single = layOut(query === key ? unorderedGroups(plan, pairToBucket) : plan.groups, SINGLE_FILLING);
  return { ...all, pairToLive: pairToBucket.map((bucket) => all.place[bucket]!), pairToBucket, single };
}

/** Load groups of the pairs (a, b) with a <= b. */
function unorderedGroups(plan: SumBucketPlan, pairToBucket: Int32Array): LoadGroup[] {
  const width = Math.sqrt(plan.pairToLive.length);
  const pairsOf = new Map<number, number[]>();
  pairToBucket.forEach((bucket, pair) => {
    if (Math.floor(pair / width) > pair % width) return;
    pairsOf.set(bucket, [...(pairsOf.get(bucket) ?? []), pair]);
  });
  const byLoad = new Map<number, number[]>();
  for (const pairs of pairsOf.values()) {
    byLoad.set(pairs.length, [...(byLoad.get(pairs.length) ?? []), ...pairs]);
  }
  return [...byLoad].map(([load, pairs]) => ({ load, pairs: Int32Array.from(pairs) }));
}

/** Joins load groups, the heaviest first, as long as the filling stays below its share of all pairs. */
function joinGroups(groups: readonly LoadGroup[], filling: number): LoadGroup[][] {
  let budget = filling * groups.reduce((count, { pairs }) => count + pairs.length, 0);
  const classes: LoadGroup[][] = [];
  for (const group of [...groups].sort((a, b) => b.load - a.load)) {
    const current = classes[classes.length - 1];
    const missing = current ? ((current[0]!.load - group.load) * group.pairs.length) / group.load : 0;
    if (current && missing <= budget) {
      budget -= missing;
      current.push(group);
    } else {
      classes.push([group]);
    }
  }
  return classes;
}

function layOutClasses(
  groups: readonly LoadGroup[],
  pairToBucket: Int32Array,
  sketchDim: number,
  filling: number,
): BucketSums {
  const live: number[] = [];
  const classes = joinGroups(groups, filling).map((joined): LoadClass => {
    const load = joined[0]!.load;
    const buckets = joined.reduce((count, group) => count + group.pairs.length / group.load, 0);
    const pairs = new Int32Array(load * buckets).fill(pairToBucket.length);
    let column = 0;
    for (const group of joined) {
      for (let from = 0; from < group.pairs.length; from += group.load) {
        live.push(pairToBucket[group.pairs[from]!]!);
        for (let i = 0; i < group.load; i++) pairs[i * buckets + column] = group.pairs[from + i]!;
        column += 1;
      }
    }
    return { load, buckets, pairs };
  });
  const place = new Int32Array(sketchDim).fill(live.length);
  live.forEach((bucket, at) => {
    place[bucket] = at;
  });
  return { live: Int32Array.from(live), place, classes };
}

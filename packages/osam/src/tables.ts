import {
  compactTable,
  createTable,
  type LoadGroup,
  type SketchTable,
  type SumBucketPlan,
  sumBucketPlan,
} from '@palimpsest/sketch';
import { tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from './config.js';

/** The two hash tables of a block; one and the same when queries and keys share it. */
export interface BlockTables {
  readonly query: SketchTable;
  readonly key: SketchTable;
}

/** A table restricted to the buckets that some channel reaches (sketch compaction). */
export interface CompactSketch {
  /** Sketch length m. */
  readonly sketchDim: number;
  /** Used buckets in increasing order; their number is u. */
  readonly used: Int32Array;
  /** For every bucket of m its place among the used ones, or u for an unused bucket. */
  readonly place: Int32Array;
  /** The compact sketch matrix, row-major [d, u], entries -1, 0, 1. */
  readonly matrix: Float32Array;
  readonly dim: number;
}

/** Draws the tables of a block from its hash seed: queries from `hashSeed`, independent keys from `hashSeed + 1`. */
export function createBlockTables(config: OsamConfig): BlockTables {
  const { dModel: dim, sketchDim, hashSeed } = config;
  const query = createTable({ dim, sketchDim, seed: hashSeed });
  if (config.featureHash === 'shared') return { query, key: query };
  return { query, key: createTable({ dim, sketchDim, seed: hashSeed + 1 }) };
}

export function compactSketch(table: SketchTable): CompactSketch {
  const { used, index, sign } = compactTable(table);
  const width = used.length;
  const matrix = new Float32Array(table.dim * width);
  for (let channel = 0; channel < table.dim; channel++) {
    matrix[channel * width + index[channel]!] = sign[channel]!;
  }
  const place = new Int32Array(table.sketchDim).fill(width);
  used.forEach((bucket, at) => {
    place[bucket] = at;
  });
  return { sketchDim: table.sketchDim, used, place, matrix, dim: table.dim };
}

/** Everything about a block that follows from its hash tables. */
export interface BlockPlan {
  readonly tables: BlockTables;
  readonly query: CompactSketch;
  readonly key: CompactSketch;
  /** Which pairs of used buckets add up to which sum bucket. */
  readonly sums: PairPlan;
}

/**
 * The sum-bucket plan with its live buckets reordered by load, so that the sum over the pairs of a bucket is a gather,
 * a reshape and a sum.
 */
export interface PairPlan {
  /** Live sum buckets in the order of the load classes; their number is R. */
  readonly live: Int32Array;
  /** For every bucket of m its place in `live`, or R for a dead bucket. */
  readonly place: Int32Array;
  /** For every pair a * uKey + b its place in `live`. */
  readonly pairToLive: Int32Array;
  /** Sum bucket of every pair. */
  readonly pairToBucket: Int32Array;
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

/** Plans the feature path of a block from its tables. */
export function planBlock(tables: BlockTables): BlockPlan {
  const query = compactSketch(tables.query);
  const key = tables.key === tables.query ? query : compactSketch(tables.key);
  return {
    tables,
    query,
    key,
    sums: orderByLoad(sumBucketPlan(tables.query, tables.key), tables.query.sketchDim),
  };
}

/** Share of filling that saves a class: every class is three more operations, every filling one more row to copy. */
const FILLING = 0.04;

/** Joins load groups, the heaviest first, as long as the filling stays below its share of all pairs. */
function joinGroups(plan: SumBucketPlan): LoadGroup[][] {
  let budget = FILLING * plan.pairToLive.length;
  const classes: LoadGroup[][] = [];
  for (const group of [...plan.groups].sort((a, b) => b.load - a.load)) {
    const current = classes[classes.length - 1];
    const filling = current ? ((current[0]!.load - group.load) * group.pairs.length) / group.load : 0;
    if (current && filling <= budget) {
      budget -= filling;
      current.push(group);
    } else {
      classes.push([group]);
    }
  }
  return classes;
}

function orderByLoad(plan: SumBucketPlan, sketchDim: number): PairPlan {
  const live: number[] = [];
  const classes = joinGroups(plan).map((groups): LoadClass => {
    const load = groups[0]!.load;
    const buckets = groups.reduce((count, group) => count + group.pairs.length / group.load, 0);
    const pairs = new Int32Array(load * buckets).fill(plan.pairToLive.length);
    let column = 0;
    for (const group of groups) {
      for (let from = 0; from < group.pairs.length; from += group.load) {
        live.push(plan.live[plan.pairToLive[group.pairs[from]!]!]!);
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
  const pairToBucket = plan.pairToLive.map((at) => plan.live[at]!);
  const pairToLive = pairToBucket.map((bucket) => place[bucket]!);
  return { live: Int32Array.from(live), place, pairToLive, pairToBucket, classes };
}

/** Applies the compact sketch to real or complex rows: [..., parts * d] to [..., parts * u], part by part. */
export function applySketch(x: tf.Tensor, sketch: CompactSketch): tf.Tensor {
  const width = sketch.used.length;
  const parts = x.shape[x.rank - 1]! / sketch.dim;
  const matrix = tf.tensor2d(sketch.matrix, [sketch.dim, width]);
  const rows = tf.reshape(x, [-1, sketch.dim]);
  return tf.reshape(tf.matMul(rows as tf.Tensor2D, matrix), [...x.shape.slice(0, -1), parts * width]);
}

/**
 * Places compact vectors among all m buckets, zeros elsewhere: [..., u] to [..., m].
 * @param place for every bucket its position, or u.
 */
export function spreadBuckets(x: tf.Tensor, place: Int32Array): tf.Tensor {
  const padded = tf.concat([x, tf.zeros([...x.shape.slice(0, -1), 1])], x.rank - 1);
  return tf.gather(padded, tf.tensor1d(place, 'int32'), x.rank - 1);
}

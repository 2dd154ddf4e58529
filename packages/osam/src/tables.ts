import { compactTable, createTable, type SketchTable } from '@palimpsest/sketch';
import { tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from './config.js';
import { type PairPlan, planPairs } from './memory/feature/pair-plan.js';

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

/** Plans the feature path of a block from its tables. */
export function planBlock(tables: BlockTables): BlockPlan {
  const query = compactSketch(tables.query);
  const key = tables.key === tables.query ? query : compactSketch(tables.key);
  return {
    tables,
    query,
    key,
    sums: planPairs(tables.query, tables.key),
  };
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

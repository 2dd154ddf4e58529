import { type NDArray, ndarray, normalise, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import type { Coordinates } from '../model/adapters.js';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import { pearson } from './pearson.js';

/** Ids below this one are punctuation and stop words in the published vocabularies; they say nothing about a topic. */
const FIRST_CONTENT_ID = 1000;
const MARGIN = 0.2;
const TOO_ALIKE = 0.7;
const CONTEXT_COSINE = 0.3;
/** How much less alike than its positive a negative must be. */
const NEGATIVE_MARGIN = 0.05;

/**
 * Jaccard similarity of the sets of content ids of texts; two texts without any are alike.
 * @returns `[texts, texts]`
 */
export function jaccard(texts: readonly (readonly number[])[]): NDArray<'float32'> {
  const sets = texts.map((ids) => new Set(ids.filter((id) => id >= FIRST_CONTENT_ID)));
  const values = sets.flatMap((a) =>
    sets.map((b) => {
      const shared = [...a].filter((id) => b.has(id)).length;
      const union = a.size + b.size - shared;
      return union === 0 ? 1 : shared / union;
    }),
  );
  return ndarray(Float32Array.from(values), [texts.length, texts.length]);
}

/** Rows that are pulled together and pushed apart: for each anchor a positive and a negative; int32 `[anchors]` each. */
export interface Triplets<T = NDArray> {
  readonly anchors: T;
  readonly positives: T;
  readonly negatives: T;
}

/**
 * The triplets of a batch. `reference` masks the diagonal with −1 before it looks for the least alike, so that the negative is
 * always the row itself. `fixed` looks among the other rows, and leaves out rows that share nothing with any, or as much with all.
 * @param similarity `[rows, rows]`
 */
export function topicTriplets({ data, shape }: NDArray, kind: MemoryConfig['topicTriplet']): Triplets {
  const rows = shape[0]!;
  const found: [number, number, number][] = [];
  for (let row = 0; row < rows; row++) {
    const others = Array.from({ length: rows }, (_, j) => j).filter((j) => j !== row);
    const of = (j: number) => data[row * rows + j]!;
    const positive = others.reduce((best, j) => (of(j) > of(best) ? j : best), others[0] ?? 0);
    const least = others.reduce((best, j) => (of(j) < of(best) ? j : best), others[0] ?? 0);
    if (kind === 'reference') found.push([row, positive, row]);
    else if (of(positive) > 0 && of(least) <= of(positive) - NEGATIVE_MARGIN)
      found.push([row, positive, least]);
  }
  const column = (index: 0 | 1 | 2) =>
    ndarray(
      Int32Array.from(found, (triplet) => triplet[index]),
      [found.length],
      'int32',
    );
  return { anchors: column(0), positives: column(1), negatives: column(2) };
}

/** mean relu(cos(anchor, negative) − cos(anchor, positive) + 0.2) over unit vectors `[rows, width]`; 0 without triplets. */
function tripletLoss(base: tf.Tensor, { anchors, positives, negatives }: Triplets<tf.Tensor>): tf.Tensor {
  if (anchors.shape[0] === 0) return tf.scalar(0);
  const rows = (index: tf.Tensor) => tf.gather(base, index as tf.Tensor1D);
  const cosine = (index: tf.Tensor) => tf.sum(tf.mul(rows(anchors), rows(index)), 1);
  return tf.mean(tf.relu(tf.add(tf.sub(cosine(negatives), cosine(positives)), MARGIN)));
}

/** How far pairs of unit vectors exceed a cosine of 0.7, over all ordered pairs. */
function diversityLoss(base: tf.Tensor): tf.Tensor {
  const rows = base.shape[0]!;
  const others = tf.sub(1, tf.eye(rows));
  const excess = tf.relu(tf.sub(tf.matMul(base, base, false, true), TOO_ALIKE));
  return tf.div(tf.sum(tf.mul(excess, others)), rows * (rows - 1));
}

/**
 * Mean of: order in time along its axis (two rows or more), topics that attract and repel, and topics that are not all alike
 * (three rows or more), contexts on the side of their axis (DERIVATION.md, "Losses").
 * @param axes unit axes
 */
export function bundleAxisAlignment(
  { time, topic, ctx }: Coordinates,
  axes: PerBundle<tf.Tensor>,
  triplets: Triplets<tf.Tensor>,
): tf.Tensor {
  const rows = time.base.shape[0]!;
  const along = (base: tf.Tensor, axis: tf.Tensor) => tf.sum(tf.mul(base, tf.expandDims(axis, 0)), 1);
  const parts = [tf.mean(tf.relu(tf.sub(CONTEXT_COSINE, along(normalise(ctx.base, -1, 1e-8), axes.ctx))))];
  if (rows >= 2) parts.push(tf.sub(1, pearson(along(time.base, axes.time), tf.range(0, rows))));
  if (rows >= 3) parts.push(tripletLoss(topic.base, triplets), diversityLoss(topic.base));
  return tf.div(tf.addN(parts), parts.length);
}

import { type NDArray, ndarray, normalise, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import type { Coordinates } from '../model/adapters.js';

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

/** Triplets as weights of the cosines of all pairs of a batch, which makes the same graph of any number of them. */
export interface TripletWeights<T = NDArray> {
  /** `[rows, rows]`: 1 at the negative of a row, −1 at its positive, their sum where they are one. */
  readonly differences: T;
  /** Share of each row in the mean, `[rows]`; 0 without a triplet. */
  readonly shares: T;
}

/** @param rows texts of the batch */
export function tripletWeights({ anchors, positives, negatives }: Triplets, rows: number): TripletWeights {
  const differences = new Float32Array(rows * rows);
  const shares = new Float32Array(rows);
  const count = anchors.data.length;
  for (const [i, anchor] of anchors.data.entries()) {
    differences[anchor * rows + negatives.data[i]!]! += 1;
    differences[anchor * rows + positives.data[i]!]! -= 1;
    shares[anchor] = 1 / count;
  }
  return { differences: ndarray(differences, [rows, rows]), shares: ndarray(shares, [rows]) };
}

/** mean relu(cos(anchor, negative) − cos(anchor, positive) + 0.2); 0 without triplets. @param cosines `[rows, rows]` */
function tripletLoss(cosines: tf.Tensor, { differences, shares }: TripletWeights<tf.Tensor>): tf.Tensor {
  const excess = tf.relu(tf.add(tf.sum(tf.mul(cosines, differences), 1), MARGIN));
  return tf.sum(tf.mul(excess, shares));
}

/** How far pairs exceed a cosine of 0.7, over all ordered pairs. @param cosines `[rows, rows]` */
function diversityLoss(cosines: tf.Tensor): tf.Tensor {
  const rows = cosines.shape[0]!;
  const others = tf.div(tf.sub(1, tf.eye(rows)), rows * (rows - 1));
  return tf.sum(tf.mul(tf.relu(tf.sub(cosines, TOO_ALIKE)), others));
}

/** Where unit or other vectors stand along an axis: `[rows, width]` and `[width]` to `[rows, 1]`. */
export const along = (vectors: tf.Tensor, axis: tf.Tensor): tf.Tensor =>
  tf.matMul(vectors, tf.reshape(axis, [axis.size, 1]));

/**
 * Mean of: order in time along its axis (two rows or more), topics that attract and repel, and topics that are not all alike
 * (three rows or more), contexts on the side of their axis (DERIVATION.md, "Losses").
 * @param contextAxis of unit length, `[dCtx]`
 * @param order correlation of the time bases along their axis with 0, 1, …; absent for a single row
 */
export function bundleAxisAlignment(
  { topic, ctx }: Coordinates,
  contextAxis: tf.Tensor,
  order: tf.Tensor | undefined,
  triplets: TripletWeights<tf.Tensor>,
): tf.Tensor {
  const cosine = along(normalise(ctx.base, -1, 1e-8), contextAxis);
  const parts = [tf.mean(tf.relu(tf.sub(CONTEXT_COSINE, cosine)))];
  if (order) parts.push(tf.sub(1, order));
  if (topic.base.shape[0]! >= 3) {
    const cosines = tf.matMul(topic.base, topic.base, false, true);
    parts.push(tripletLoss(cosines, triplets), diversityLoss(cosines));
  }
  return tf.div(tf.addN(parts), parts.length);
}

import { tf } from '@palimpsest/tensor-core';
import { type BlockPlan, spreadBuckets } from '../../tables.js';
import type { FeatureForm } from './feature-form.js';
import { gatherRows } from './gather-rows.js';
import type { BucketSums } from './pair-plan.js';

/** Floats of a slice's u x u products: 1 M floats, 4 MB, stay in a core's cache. */
const SLICE_FLOATS = 2 ** 20;

/** Tokens per slice for u * u products per token. */
export function sliceLength(products: number, tokens: number): number {
  const fitting = Math.max(1, Math.floor(SLICE_FLOATS / products));
  const slices = Math.ceil(tokens / fitting);
  return Math.ceil(tokens / slices);
}

/**
 * Form F5: the convolution of two sparse sketches by its non-zero products, summed into the R reachable buckets, and the
 * read-out over those buckets alone (DERIVATION.md, "Feature path"). Tokens are on the last axis, so every gather copies whole rows, and
 * gathers serve in both directions.
 */
export const pairsForm: FeatureForm = (input, plan) => {
  const { query, prefix, weight, energy, wantPsi } = input;
  const tokens = query.shape[0]!;
  const sums = tokens === 1 ? plan.sums.single : plan.sums;
  const liveWeight = gatherRows(tf.transpose(weight), sums.live, sums.place);
  const step = sliceLength(plan.query.used.length * plan.key.used.length, tokens);
  const slices: tf.Tensor[] = [];
  for (let from = 0; from < tokens; from += step) {
    const size = Math.min(step, tokens - from);
    const rows = [rowsOf(query, from, size), rowsOf(prefix, from, size)] as const;
    slices.push(tokens === 1 ? singlePairSums(...rows, plan) : pairSums(...rows, plan));
  }
  const projected = slices.map((psi) =>
    tf.matMul(psi as tf.Tensor2D, liveWeight as tf.Tensor2D, true, false),
  );
  const energies = energy === 'none' ? undefined : slices.map((psi) => tf.sum(tf.square(psi), 0));
  return {
    projected: concatRows(projected),
    energy: energies && concatRows(energies),
    psi: wantPsi ? spreadBuckets(concatRows(slices.map((psi) => tf.transpose(psi))), sums.place) : undefined,
  };
};

function rowsOf(x: tf.Tensor, from: number, size: number): tf.Tensor {
  return x.shape[0] === size ? x : tf.slice(x, [from, 0], [size, -1]);
}

export function concatRows(parts: tf.Tensor[]): tf.Tensor {
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
}

/**
 * Live buckets of Re(Q * K) for a slice of n tokens, [R, n].
 * @param query [n, 2 uQuery]; @param prefix [n, 2 uKey].
 */
function pairSums(query: tf.Tensor, prefix: tf.Tensor, plan: BlockPlan): tf.Tensor {
  const widthQuery = plan.query.used.length;
  const widthKey = plan.key.used.length;
  const convolve = tf.customGrad((...inputs) => {
    const save = inputs.pop() as tf.GradSaveFunc;
    const [left, right] = inputs as tf.Tensor[];
    save([left!, right!]);
    const value = sumClasses(outerProducts(left!, right!, widthQuery, widthKey), plan.sums);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [q, k]: tf.Tensor[]) => {
        const products = tf.reshape(tf.gather(dy, tf.tensor1d(plan.sums.pairToLive, 'int32')), [
          widthQuery,
          widthKey,
          -1,
        ]);
        return [
          againstKeys(products, k!, widthKey),
          againstQueries(products, q!, widthQuery),
        ] as unknown as tf.Tensor[];
      },
    };
  });
  return convolve(tf.transpose(query), tf.transpose(prefix));
}

/**
 * Live buckets for one token, [R, 1]. All products come from one small matrix product; of a shared table's products, (a, b)
 * and (b, a) come already added.
 */
function singlePairSums(query: tf.Tensor, prefix: tf.Tensor, plan: BlockPlan): tf.Tensor {
  const [widthQuery, widthKey] = [plan.query.used.length, plan.key.used.length];
  const shared = plan.tables.query === plan.tables.key;
  const q = tf.reshape(query, [2, widthQuery]);
  const k = tf.reshape(prefix, [2, widthKey]);
  const left = shared ? tf.concat([q, k], 0) : q;
  const right = shared ? tf.concat([k, q], 0) : k;
  const signs = tf.tensor2d(shared ? [1, -1, 1, -1] : [1, -1], [right.shape[0]!, 1]);
  const padded = tf.concat([left, tf.zeros([left.shape[0]!, 1])], 1);
  const products = tf.matMul(padded as tf.Tensor2D, tf.mul(right, signs) as tf.Tensor2D, true, false);
  const once = shared ? tf.mul(products, halvedDiagonal(widthKey)) : products;
  return sumClasses(tf.reshape(once, [-1, 1]), plan.sums.single);
}

/** [width + 1, width]: 1/2 on the diagonal, where a product was added to itself, 1 elsewhere. */
function halvedDiagonal(width: number): tf.Tensor2D {
  const factors = new Float32Array((width + 1) * width).fill(1);
  for (let i = 0; i < width; i++) factors[i * width + i] = 0.5;
  return tf.tensor2d(factors, [width + 1, width]);
}

/** Real and imaginary half of [2 u, n] rows as [u, 1, n] or [1, u, n]. */
function halves(x: tf.Tensor, width: number, axis: 0 | 1): [tf.Tensor, tf.Tensor] {
  const shape = axis === 1 ? [width, 1, -1] : [1, width, -1];
  const part = (from: number) => tf.reshape(tf.slice(x, [from, 0], [width, -1]), shape);
  return [part(0), part(width)];
}

/** P = Re(q k^T) without conjugation for every token, and rows of zeros behind: [(uQuery + 1) uKey, n]. */
function outerProducts(query: tf.Tensor, key: tf.Tensor, widthQuery: number, widthKey: number): tf.Tensor {
  const zero = tf.zeros([1, 1, query.shape[1]!]);
  const [qRe, qIm] = halves(query, widthQuery, 1).map((half) => tf.concat([half, zero], 0)) as [
    tf.Tensor,
    tf.Tensor,
  ];
  const [kRe, kIm] = halves(key, widthKey, 0);
  return tf.reshape(tf.sub(tf.mul(qRe, kRe), tf.mul(qIm, kIm)), [(widthQuery + 1) * widthKey, -1]);
}

/** Sums the pairs of every live bucket, one load class at a time: [pairs and a row of zeros, n] to [R, n]. */
export function sumClasses(products: tf.Tensor, sums: BucketSums): tf.Tensor {
  const width = products.shape[1]!;
  const parts = sums.classes.map(({ load, buckets, pairs }) => {
    const rows = tf.gather(products, tf.tensor1d(pairs, 'int32'));
    return load === 1 ? rows : tf.sum(tf.reshape(rows, [load, buckets, width]), 0);
  });
  return concatRows(parts);
}

/** d query = [sum_b dP kRe, -sum_b dP kIm], [2 uQuery, n]. */
function againstKeys(products: tf.Tensor, key: tf.Tensor, widthKey: number): tf.Tensor {
  const [re, im] = halves(key, widthKey, 0);
  return tf.concat([tf.sum(tf.mul(products, re), 1), tf.neg(tf.sum(tf.mul(products, im), 1))], 0);
}

/** d key = [sum_a dP qRe, -sum_a dP qIm], [2 uKey, n]. */
function againstQueries(products: tf.Tensor, query: tf.Tensor, widthQuery: number): tf.Tensor {
  const [re, im] = halves(query, widthQuery, 1);
  return tf.concat([tf.sum(tf.mul(products, re), 0), tf.neg(tf.sum(tf.mul(products, im), 0))], 0);
}

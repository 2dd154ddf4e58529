import {
  InputError,
  MASKED,
  type NDArray,
  type Rng,
  softmax,
  tf,
  xavierUniform,
  zeros,
} from '@palimpsest/tensor-core';
import { expectShape } from '../encoders/check-shapes.js';
import { affine, type LinearParameters, linearInit } from '../layers.js';

/** Multi-head attention with packed projections: rows of queries, then of keys, then of values. */
export type FiberAttentionParameters<T = tf.Tensor> = {
  /** `[3 width, width]` */
  readonly in_proj_weight: T;
  /** `[3 width]` */
  readonly in_proj_bias: T;
  readonly out_proj: LinearParameters<T>;
};

export interface AttendedFibers {
  /** `[rows, width]` */
  readonly output: tf.Tensor;
  /** `[rows, heads, 1, memories]` */
  readonly weights: tf.Tensor;
}

/** Xavier uniform for the packed weight, zero biases. */
export function fiberAttentionInit(rng: Rng, width: number): FiberAttentionParameters<NDArray> {
  const { weight } = linearInit(rng, width, width);
  return {
    in_proj_weight: xavierUniform(rng, [3 * width, width]),
    in_proj_bias: zeros([3 * width]),
    out_proj: { weight, bias: zeros([width]) },
  };
}

/**
 * Attention of one query per row over the fibers of all memories, which are keys and values alike. Instead of projecting
 * every memory, the query goes through the keys' matrix and the mean of the fibers through the values' (DERIVATION.md, "One
 * query over all fibers"), unless there are as many queries as memories.
 * @param query `[rows, width]`
 * @param fibers `[memories, width]`
 * @param ignore `[rows, memories]`, true for memories that a row does not see
 * @throws InputError when there is no memory, or a shape does not fit.
 */
export function attendFibers(
  parameters: FiberAttentionParameters,
  heads: number,
  query: tf.Tensor,
  fibers: tf.Tensor,
  ignore?: tf.Tensor,
): AttendedFibers {
  const [rows, width] = query.shape as [number, number];
  expectShape('The fibers', fibers, [-1, width]);
  const memories = fibers.shape[0]!;
  if (memories === 0)
    throw new InputError('Attention over memories needs at least one memory; the store is empty.');
  if (ignore) expectShape('The mask of memories', ignore, [rows, memories]);
  const headWidth = width / heads;
  const weights3 = tf.split(parameters.in_proj_weight, 3);
  const biases3 = tf.split(parameters.in_proj_bias, 3);
  const [toQuery, toKey, toValue] = [0, 1, 2].map((i) => ({ weight: weights3[i]!, bias: biases3[i]! }));
  const perHead = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [x.shape[0]!, heads, headWidth]), [1, 0, 2]);
  const asked = perHead(tf.div(affine(query, toQuery!), Math.sqrt(headWidth)));
  const forms = memories > rows ? throughQueries : ofProjections;
  const { scores, read } = forms(fibers, toKey!, toValue!, asked, perHead);
  const hidden = ignore && tf.mul(tf.cast(ignore, 'float32'), MASKED);
  const weights = softmax(hidden ? tf.add(scores, tf.expandDims(hidden, 0)) : scores);
  const joined = (x: tf.Tensor) => tf.reshape(tf.transpose(x, [1, 0, 2]), [rows, width]);
  return {
    output: affine(read(weights, joined), parameters.out_proj),
    weights: tf.expandDims(tf.transpose(weights, [1, 0, 2]), 2),
  };
}

/** Scores `[heads, rows, memories]`, and what the weights of a softmax read, `[rows, width]`, with heads joined by `join`. */
type AttentionForm = (
  fibers: tf.Tensor,
  toKey: LinearParameters,
  toValue: LinearParameters,
  asked: tf.Tensor,
  perHead: (x: tf.Tensor) => tf.Tensor,
) => {
  readonly scores: tf.Tensor;
  readonly read: (weights: tf.Tensor, join: (x: tf.Tensor) => tf.Tensor) => tf.Tensor;
};

/** As many queries as memories, as in training: each memory is projected once for all of them. */
const ofProjections: AttentionForm = (fibers, toKey, toValue, asked, perHead) => ({
  scores: tf.matMul(asked, perHead(affine(fibers, toKey)), false, true),
  read: (weights, join) => join(tf.matMul(weights, perHead(affine(fibers, toValue)))),
});

/** Few queries and many memories: no memory is projected. */
const throughQueries: AttentionForm = (fibers, toKey, toValue, asked) => {
  const [heads, rows, headWidth] = asked.shape as [number, number, number];
  const [memories, width] = fibers.shape as [number, number];
  const matrices = ({ weight }: LinearParameters) => tf.reshape(weight, [heads, headWidth, width]);
  const throughKeys = tf.matMul(asked, matrices(toKey));
  const shift = tf.matMul(asked, tf.reshape(toKey.bias, [heads, headWidth, 1]));
  const products = tf.matMul(tf.reshape(throughKeys, [heads * rows, width]), fibers, false, true);
  return {
    scores: tf.add(tf.reshape(products, [heads, rows, memories]), shift),
    read: (weights, join) => {
      const mean = tf.matMul(tf.reshape(weights, [heads * rows, memories]), fibers);
      const values = tf.matMul(tf.reshape(mean, [heads, rows, width]), matrices(toValue), false, true);
      return tf.add(join(values), toValue.bias);
    },
  };
};

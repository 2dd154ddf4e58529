import { layerNorm, tf } from '@palimpsest/tensor-core';
import type { NormParams } from './parameters.js';

/**
 * Rows times a matrix per group.
 * @param x `[G, batch, rows, in]`
 * @param weight `[.., in, out]` with G matrices
 * @returns `[G, batch, rows, out]`
 */
export function groupProduct(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  const [G, batch, rows, inputs] = x.shape as [number, number, number, number];
  const outputs = weight.shape.at(-1)!;
  const product = tf.matMul(
    tf.reshape(x, [G, batch * rows, inputs]),
    tf.reshape(weight, [G, inputs, outputs]),
  );
  return tf.reshape(product, [G, batch, rows, outputs]);
}

/**
 * Rows times the matrices of all heads in one product, for heads that share their input.
 * @param x `[l, batch, rows, d]`
 * @param weight `[l, d, H·e]`
 * @returns head-major `[l·H, batch, rows, e]`
 */
export function splitProduct(x: tf.Tensor, weight: tf.Tensor, heads: number): tf.Tensor {
  const [l, batch, rows] = x.shape as [number, number, number, number];
  const width = weight.shape[2]! / heads;
  const product = tf.reshape(groupProduct(x, weight), [l, batch * rows, heads, width]);
  return tf.reshape(tf.transpose(product, [0, 2, 1, 3]), [l * heads, batch, rows, width]);
}

/** Heads side by side: `[l·H, batch, rows, w]` to `[l, batch, rows, H·w]`. */
export function joinHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [groups, batch, rows, width] = x.shape as [number, number, number, number];
  const l = groups / heads;
  const split = tf.reshape(x, [l, heads, batch * rows, width]);
  return tf.reshape(tf.transpose(split, [0, 2, 1, 3]), [l, batch, rows, heads * width]);
}

/** Layer norm without gain and bias. */
export function plainNorm(x: tf.Tensor): tf.Tensor {
  const width = x.shape.at(-1)!;
  return layerNorm(x, tf.ones([width]), tf.zeros([width]));
}

/**
 * Layer norm with a gain and a bias per group.
 * @param x `[G, ...]`
 * @param norm `[.., width]` with G rows
 */
export function groupNorm(x: tf.Tensor, { gain, bias }: NormParams): tf.Tensor {
  const [G, width] = [x.shape[0]!, x.shape.at(-1)!];
  const shape = G === 1 ? [width] : [G, width];
  return layerNorm(x, tf.reshape(gain, shape), tf.reshape(bias, shape));
}

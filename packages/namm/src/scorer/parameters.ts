import { tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import { scorerParts } from './layout.js';

/** Tensors of a scorer by name, with two leading axes: `[1 or batch, 1 or heads, ...]`. */
export type ScorerTensors = (name: string) => tf.Tensor | undefined;

/**
 * Cuts flat vectors into the tensors of the scorer.
 * @param flat `[1 or batch, 1 or heads, size]`: one vector for all, or one for every row and head
 * @returns weights `[1 or batch, 1 or heads, in, out]`, biases `[1 or batch, 1 or heads, 1, out]`
 */
export function scorerTensors(config: NAMMConfig, flat: tf.Tensor): ScorerTensors {
  const [rows, heads] = flat.shape as [number, number, number];
  const tensors = new Map<string, tf.Tensor>();
  let at = 0;
  for (const { name, shape } of scorerParts(config)) {
    const [input, output] = shape.length === 2 ? shape : [1, shape[0]];
    const part = tf.slice(flat, [0, 0, at], [rows, heads, input * output]);
    tensors.set(name, tf.reshape(part, [rows, heads, input, output]));
    at += input * output;
  }
  return (name) => tensors.get(name);
}

/** x W + b of the last axis. */
export function affine(tensors: ScorerTensors, name: string, x: tf.Tensor): tf.Tensor {
  const product = tf.matMul(x, tensors(`${name}.weight`)!);
  const bias = tensors(`${name}.bias`);
  return bias ? tf.add(product, bias) : product;
}

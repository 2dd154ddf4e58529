import { tf } from '@palimpsest/tensor-core';
import type { NonLinearity } from '../config.js';
import { activate } from './activation.js';
import { affine, type ScorerTensors } from './parameters.js';

export interface ReadoutOptions {
  readonly depth: number;
  readonly nonLinearity: NonLinearity;
  readonly residual: boolean;
  readonly residualFirst: boolean;
  /** The published program computes the linear maps of middle layers and throws them away. */
  readonly withoutMiddleMaps: boolean;
}

/**
 * One number per token from its features.
 * @param features `[batch, heads, tokens, width]`
 * @returns `[batch, heads, tokens]`
 */
export function readOut(tensors: ScorerTensors, features: tf.Tensor, options: ReadoutOptions): tf.Tensor {
  const { depth, nonLinearity, residual, residualFirst, withoutMiddleMaps } = options;
  let x = features;
  for (let layer = 0; layer < depth - 1; layer++) {
    const isMiddle = layer > 0;
    const mapped = isMiddle && withoutMiddleMaps ? x : affine(tensors, `readout.${layer}`, x);
    const active = activate(nonLinearity, mapped);
    x = (isMiddle ? residual : residualFirst) ? tf.add(active, x) : active;
  }
  const scores = affine(tensors, `readout.${depth - 1}`, x);
  return tf.reshape(scores, scores.shape.slice(0, -1));
}

import { applyRotary, tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import { activate } from './activation.js';
import { affine, type ScorerTensors } from './parameters.js';
import { readOut } from './readout.js';
import { attendAmongTokens, hiddenTokens, TILE } from './tiled-attention.js';

/** What a scorer sees of the tokens of a layer. */
export interface TokenView {
  /** `[batch, heads, tokens, width]`, oldest token first */
  readonly features: tf.Tensor;
  /** int32 `[batch, heads, tokens]`: original positions, -1 for none */
  readonly positions: tf.Tensor;
  /** bool `[batch, 1 or heads, tokens]`; absent when all are tokens */
  readonly valid?: tf.Tensor | undefined;
}

/**
 * Backward attention memory (paper, section 3.2): tokens look at themselves and newer ones before they are scored, so that a
 * token can tell whether something later made it redundant.
 * @returns scores `[batch, heads, tokens]`
 */
export function bamScores(
  config: NAMMConfig,
  tensors: ScorerTensors,
  { features, positions, valid }: TokenView,
  tile = TILE,
): tf.Tensor {
  const { bam, mode } = config;
  const { hiddenDim, numHeads, maskingStrategy, window } = bam;
  const headWidth = hiddenDim / numHeads;
  const packed = affine(tensors, 'queryKeyValue', features);
  const [query, key, value] = tf.split(packed, 3, -1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const angles = bam.useRope ? rotaryAngles(positions, headWidth, bam.ropeTheta) : undefined;
  const heads = (x: tf.Tensor) => (numHeads === 1 ? [x] : tf.split(x, numHeads, -1));
  const turned = (x: tf.Tensor) =>
    heads(x).map((part) => (angles ? applyRotary(part, angles.cos, angles.sin) : part));
  const [queries, keys, values] = [turned(query), turned(key), heads(value)];
  const options = {
    ...{ maskingStrategy, window, tile },
    ...(valid && { hidden: hiddenTokens(valid) }),
  };
  const read = queries.map((q, head) =>
    attendAmongTokens(tf.mul(q, 1 / Math.sqrt(headWidth)), keys[head]!, values[head]!, options),
  );
  const output = affine(tensors, 'output', read.length === 1 ? read[0]! : tf.concat(read, 3));
  return readOut(tensors, combine(config, features, output), {
    depth: bam.mlpDepth,
    nonLinearity: bam.mlpNonLinearity,
    residual: bam.mlpResidual,
    residualFirst: bam.mlpResidualFirst,
    withoutMiddleMaps: mode === 'parityOfficial',
  });
}

/** Features and what was read of the others: added, multiplied, both, or what was read alone. */
function combine({ bam }: NAMMConfig, features: tf.Tensor, output: tf.Tensor): tf.Tensor {
  const { residual, mult, multNonlinearity } = bam;
  const phi = (x: tf.Tensor) => (multNonlinearity ? activate(multNonlinearity, x) : x);
  if (residual && mult) {
    const [added, factor] = tf.split(output, 2, -1) as [tf.Tensor, tf.Tensor];
    return tf.add(tf.mul(features, tf.add(1, phi(factor))), added);
  }
  if (residual) return tf.add(features, output);
  return mult ? tf.mul(features, tf.add(1, phi(output))) : output;
}

/** Angles of the original positions: cosines and sines `[batch, heads, tokens, width / 2]`. */
function rotaryAngles(
  positions: tf.Tensor,
  width: number,
  theta: number,
): { cos: tf.Tensor; sin: tf.Tensor } {
  const frequencies = Float32Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width));
  const row = tf.reshape(tf.tensor1d(frequencies), [1, 1, 1, width / 2]);
  const angles = tf.mul(tf.expandDims(tf.cast(positions, 'float32'), 3), row);
  return { cos: tf.cos(angles), sin: tf.sin(angles) };
}

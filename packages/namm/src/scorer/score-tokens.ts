import { type NDArray, ndarray, type tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import { bamScores, type TokenView } from './bam.js';
import { foldedScores, foldedVector, isFoldable } from './folded.js';
import { scorerSize, scorersOfLayer } from './layout.js';
import { scorerTensors } from './parameters.js';
import { readOut } from './readout.js';

/** Parameters as the scorer reads them: those of a foldable scorer multiplied out. */
export interface PreparedParameters {
  /** The configuration that fits them. */
  readonly config: NAMMConfig;
  /** `[1 or batch, 1 or heads, size]` for one layer */
  readonly layer: (layer: number, heads: number) => NDArray<'float32'>;
}

/**
 * Prepares flat vectors, one for all texts or one for each, as evolution judges its members.
 * @param vectors each as long as the policy has parameters
 */
export function prepareParameters(
  config: NAMMConfig,
  vectors: readonly ArrayLike<number>[],
): PreparedParameters {
  const folds = config.mode === 'improved' && isFoldable(config);
  const prepared: NAMMConfig = folds ? { ...config, parameterisation: 'folded' } : config;
  const size = scorerSize(config);
  return {
    config: prepared,
    layer: (layer, heads) => {
      const rows = vectors.map((vector) => {
        const { offset, scorers } = scorersOfLayer(config, vector.length, layer, heads);
        const values = Float32Array.from(vector);
        return Array.from({ length: scorers }, (_, scorer) => {
          const own = values.subarray(offset + scorer * size, offset + (scorer + 1) * size);
          return folds ? foldedVector(config, own) : own;
        });
      });
      const flat = Float32Array.from(rows.flat().flatMap((vector) => Array.from(vector)));
      return ndarray(flat, [rows.length, rows[0]!.length, scorerSize(prepared)]);
    },
  };
}

/**
 * Scores of tokens by attention among them.
 * @param flat `[1 or batch, 1 or heads, size]` in the layout of `config`
 * @returns `[batch, heads, tokens]`
 */
export function scoreTokens(config: NAMMConfig, flat: tf.Tensor, view: TokenView): tf.Tensor {
  const tensors = scorerTensors(config, flat);
  return config.parameterisation === 'folded'
    ? foldedScores(config, tensors, view)
    : bamScores(config, tensors, view);
}

/**
 * Scores of the tokens in one frame by the scorer without attention.
 * @param features `[batch, heads, tokens, width]`
 * @returns `[batch, heads, tokens]`
 */
export function scoreFrame(config: NAMMConfig, flat: tf.Tensor, features: tf.Tensor): tf.Tensor {
  const { depth, nonLinearity, residual, residualFirst } = config.mlp;
  return readOut(scorerTensors(config, flat), features, {
    ...{ depth, nonLinearity, residual, residualFirst },
    withoutMiddleMaps: config.mode === 'parityOfficial',
  });
}

import { addLayerNorm, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import type { Place } from './dropout.js';
import { mlp } from './mlp.js';
import type { LayerParams, MlpParams, NormParams } from './parameters.js';
import { groupNorm, groupProduct } from './products.js';
import type { Setup } from './setup.js';

/** LN(x + branch). @param x `[l, batch, rows, d]` @param norm `[l, d]` */
function residualNorm(x: tf.Tensor, branch: tf.Tensor, norm: NormParams): tf.Tensor {
  const [l, batch, rows, width] = x.shape as [number, number, number, number];
  if (l > 1) return groupNorm(tf.add(x, branch), norm);
  const flat = (tensor: tf.Tensor) => tf.reshape(tensor, [batch * rows, width]);
  const vector = (tensor: tf.Tensor) => tf.reshape(tensor, [width]);
  const { normal } = addLayerNorm(flat(x), flat(branch), vector(norm.gain), vector(norm.bias));
  return tf.reshape(normal, x.shape);
}

/** The MLP of layers, and the norm after it. */
export interface MlpPart {
  readonly mlp: MlpParams;
  readonly mlpNorm: NormParams;
}

/**
 * What follows the attention block: post-norm residual connections around the block and around the MLP. Without the first
 * norm in the head edition's differential mode; without the second residual where the MLP widens.
 * @param x input of the layers, `[l, batch, rows, d]`
 * @param attended the block's output
 * @returns `[l, batch, rows, d]`, or d·m of a widened MLP
 */
export function finishLayer(
  { config, drop }: Setup,
  params: Pick<LayerParams, 'attentionNorm'>,
  part: MlpPart,
  x: tf.Tensor,
  attended: tf.Tensor,
  places: readonly Place[],
): tf.Tensor {
  const [l, batch, rows, d] = x.shape as [number, number, number, number];
  const dropped = drop(attended, 'attention', places);
  const isBare = config.diffAttn && config.edition === 'head';
  const inner = isBare ? tf.add(x, dropped) : residualNorm(x, dropped, params.attentionNorm);
  const product = mlp(config.activation, part.mlp, tf.reshape(inner, [l, batch * rows, d]));
  const width = product.shape[2]!;
  const output = drop(tf.reshape(product, [l, batch, rows, width]), 'mlp', places);
  return width === d ? residualNorm(inner, output, part.mlpNorm) : groupNorm(output, part.mlpNorm);
}

/**
 * The state that a segment leaves, from what its write rows gathered.
 * @param state before the segment, `[l, batch, S, d]`
 * @param written `[l, batch, S, d]`
 */
export function updateState(
  { config }: Setup,
  params: Pick<LayerParams, 'stateNorm' | 'stateGate'>,
  state: tf.Tensor,
  written: tf.Tensor,
): tf.Tensor {
  const combined = combine(config, params.stateGate, state, written);
  return params.stateNorm ? groupNorm(combined, params.stateNorm) : combined;
}

function combine(
  { stateUpdate, stateGateBias }: Pick<OmConfig, 'stateUpdate' | 'stateGateBias'>,
  weight: tf.Tensor | undefined,
  state: tf.Tensor,
  written: tf.Tensor,
): tf.Tensor {
  if (stateUpdate === 'replace') return written;
  if (stateUpdate === 'residual') return tf.add(state, written);
  const gate = tf.sigmoid(tf.add(groupProduct(tf.concat([state, written], 3), weight!), stateGateBias));
  return tf.add(written, tf.mul(gate, tf.sub(state, written)));
}

import { gelu, silu, tf } from '@palimpsest/tensor-core';
import type { Activation } from './config.js';
import type { AffineParams, GatedParams, MlpParams } from './parameters.js';

/** x W + b with a weight per layer. @param x `[l, rows, in]` */
function affine(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const [l, width] = bias.shape as [number, number];
  return tf.add(tf.matMul(x, weight), tf.reshape(bias, [l, 1, width]));
}

/** x σ(βx) with a learned β per layer (Ramachandran et al. 2017). @param beta `[l, 1]` */
function swish(x: tf.Tensor, beta: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.sigmoid(tf.mul(x, tf.reshape(beta, [beta.shape[0]!, 1, 1]))));
}

function activate(activation: Activation, x: tf.Tensor, beta: tf.Tensor | undefined): tf.Tensor {
  switch (activation) {
    case 'relu':
      return tf.relu(x);
    case 'abs':
      return tf.abs(x);
    case 'swish':
    case 'swiglu':
      return swish(x, beta!);
    case 'ffnglu':
      return tf.sigmoid(x);
    case 'ffnswiglu':
      return silu(x);
    case 'gelu':
    case 'geglu':
    case 'ffngeglu':
      return gelu(x);
  }
}

/**
 * The MLP of layers side by side: maps with an activation between them; a chain of gated maps, the last one too (Shazeer
 * 2020, with biases); or one gated map and a plain one.
 * @param x `[l, rows, d]`
 * @returns `[l, rows, out]`
 */
export function mlp(activation: Activation, params: MlpParams, x: tf.Tensor): tf.Tensor {
  if ('plain' in params) {
    return params.plain.reduce((rows: tf.Tensor, { weight, bias }: AffineParams, i) => {
      const mapped = affine(rows, weight, bias);
      return i === params.plain.length - 1 ? mapped : activate(activation, mapped, params.beta);
    }, x);
  }
  if ('gated' in params) {
    return params.gated.reduce(
      (rows: tf.Tensor, map: GatedParams) =>
        tf.mul(
          activate(activation, affine(rows, map.gate, map.gateBias), map.beta),
          affine(rows, map.value, map.valueBias),
        ),
      x,
    );
  }
  const gate = activate(activation, tf.matMul(x, params.gate), undefined);
  return tf.matMul(tf.mul(gate, tf.matMul(x, params.value)), params.output);
}

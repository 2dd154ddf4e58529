import { linear, type NDArray, ndarray, type Rng, silu, type tf, uniformInit } from '@palimpsest/tensor-core';

/** An affine map: weight `[out, in]`, bias `[out]`. */
export type LinearParameters<T = tf.Tensor> = { readonly weight: T; readonly bias: T };
/** Gain and bias of a layer normalisation, `[width]` each. */
export type NormParameters<T = tf.Tensor> = { readonly weight: T; readonly bias: T };
/** Two affine maps with SiLU between them, under the published keys (1 is the activation). */
export type TwoLayerParameters<T = tf.Tensor> = {
  readonly 0: LinearParameters<T>;
  readonly 2: LinearParameters<T>;
};

/** Weight and bias uniform in ±1/√inputs. */
export function linearInit(rng: Rng, inputs: number, outputs: number): LinearParameters<NDArray> {
  const bound = 1 / Math.sqrt(inputs);
  return { weight: uniformInit(rng, [outputs, inputs], bound), bias: uniformInit(rng, [outputs], bound) };
}

export const normInit = (width: number): NormParameters<NDArray> => ({
  weight: ndarray(new Float32Array(width).fill(1), [width]),
  bias: ndarray(new Float32Array(width), [width]),
});

export function twoLayerInit(
  rng: Rng,
  inputs: number,
  hidden: number,
  outputs: number,
): TwoLayerParameters<NDArray> {
  return { 0: linearInit(rng, inputs, hidden), 2: linearInit(rng, hidden, outputs) };
}

/** y = x Wᵀ + b, `[..., in]` to `[..., out]`. */
export const affine = (x: tf.Tensor, { weight, bias }: LinearParameters): tf.Tensor =>
  linear(x, weight, bias);

export const twoLayer = (x: tf.Tensor, parameters: TwoLayerParameters): tf.Tensor =>
  affine(silu(affine(x, parameters[0])), parameters[2]);

import { InputError, silu, tf } from '@palimpsest/tensor-core';
import { affineProduct } from './affine.js';
import { asTensor, type LinearParameters, type MlpParameters } from './parameters.js';

/** y = x Wᵀ + c for x `[rows, inputs]`. */
export function linearLayer(x: tf.Tensor, { weight, bias }: LinearParameters): tf.Tensor {
  return tf.add(affineProduct(x, asTensor(weight)), asTensor(bias));
}

/** The activations that enter the last layer: `[rows, inputs]` to `[rows, hidden]`. */
export function hiddenLayers(x: tf.Tensor, parameters: MlpParameters): tf.Tensor {
  return silu(linearLayer(silu(linearLayer(x, parameters[0])), parameters[2]));
}

/** Linear, SiLU, linear, SiLU, linear on `[rows, inputs]`. */
export function mlp(x: tf.Tensor, parameters: MlpParameters): tf.Tensor {
  return linearLayer(hiddenLayers(x, parameters), parameters[4]);
}

/** @throws InputError when a weight does not have the given sizes. */
export function checkMlp(parameters: MlpParameters, sizes: readonly number[], where: string): void {
  ([0, 2, 4] as const).forEach((layer, index) => {
    const { weight, bias } = parameters[layer];
    const expected = [sizes[index + 1]!, sizes[index]!];
    if (weight.shape.join() !== expected.join() || bias.shape.join() !== String(expected[0])) {
      throw new InputError(
        `${where}: net.${layer} must have weight [${expected.join(', ')}] and bias [${expected[0]}], but has weight [${weight.shape.join(', ')}] and bias [${bias.shape.join(', ')}].`,
      );
    }
  });
}

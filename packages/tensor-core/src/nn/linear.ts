import { formatShape, InputError, sizeOf } from '@palimpsest/base';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';

/** Rows times a transposed weight, plus a bias or a whole matrix. Transposes are explicit, because wasm is slow with transpose flags. */
const affine = defineOp<Record<string, never>>({
  name: 'Affine',
  infer: ([rows, weight]) => [{ shape: [rows!.shape[0]!, weight!.shape[0]!], dtype: 'float32' }],
  compose: ([rows, weight, bias]) => {
    const product = tf.matMul(rows!, tf.transpose(weight!));
    return [bias ? tf.add(product, bias) : product];
  },
  trace: (graph, inputs) => {
    const [rows, weight] = inputs;
    const shape = [rows!.shape[0]!, weight!.shape[0]!];
    return [graph.node('Gemm', inputs, { shape, dtype: 'float32' }, { transB: 1 })];
  },
  // The weight's gradient comes out in the weight's own layout, unlike that of a product with a transposed weight.
  gradient: ({ outputGradients: [dy], inputs: [rows, weight, bias] }) => {
    const gradients = [tf.matMul(dy!, weight!), tf.matMul(tf.transpose(dy!), rows!)];
    if (!bias) return gradients;
    return [...gradients, bias.rank === 2 ? dy! : tf.sum(dy!, 0)];
  },
});

/**
 * Affine map of the last axis, y = x Wᵀ + b. Leading axes are folded into one, so that any number of them costs one
 * matrix product, forward and backward.
 * @param x `[..., in]`
 * @param weight `[out, in]`
 * @param bias `[out]`
 * @returns `[..., out]`
 * @throws InputError when the shapes do not fit.
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  if (weight.rank !== 2 || x.rank === 0 || x.shape.at(-1) !== inputs) {
    throw new InputError(
      `A linear map needs inputs [..., in] and a weight [out, in], but got ${formatShape(x.shape)} and ${formatShape(weight.shape)}.`,
    );
  }
  if (bias && (bias.rank !== 1 || bias.size !== outputs)) {
    throw new InputError(
      `A linear map of weight ${formatShape(weight.shape)} needs a bias [${outputs}], but got ${formatShape(bias.shape)}.`,
    );
  }
  const leading = x.shape.slice(0, -1);
  const rows = x.rank === 2 ? x : tf.reshape(x, [sizeOf(leading), inputs]);
  const result = affine(bias ? [rows, weight, bias] : [rows, weight], {})[0]!;
  return x.rank === 2 ? result : tf.reshape(result, [...leading, outputs]);
}

/**
 * A residual connection around a linear map, residual + x Wᵀ, in one node of a traced graph.
 * @param residual `[rows, out]`
 * @param x `[rows, in]`
 * @param weight `[out, in]`
 * @throws InputError when the shapes do not fit.
 */
export function addLinear(residual: tf.Tensor, x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  const fits =
    x.rank === 2 && x.shape[1] === inputs && residual.shape.join() === [x.shape[0], outputs].join();
  if (!fits) {
    throw new InputError(
      `A residual linear map needs a residual [rows, out], inputs [rows, in] and a weight [out, in], but got ${formatShape(residual.shape)}, ${formatShape(x.shape)} and ${formatShape(weight.shape)}.`,
    );
  }
  return affine([x, weight, residual], {})[0]!;
}

import { formatShape, InputError, type tf } from '@palimpsest/tensor-core';

/** @throws InputError naming the input unless it has the shape; −1 stands for any extent. */
export function expectShape(what: string, x: tf.Tensor, shape: readonly number[]): void {
  const fits =
    x.rank === shape.length && shape.every((extent, axis) => extent === -1 || extent === x.shape[axis]);
  if (fits) return;
  const wanted = shape.map((extent) => (extent === -1 ? 'any' : extent)).join(', ');
  throw new InputError(`${what} must have the shape [${wanted}], but has ${formatShape(x.shape)}.`);
}

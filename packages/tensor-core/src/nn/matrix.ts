import { tf } from '../tf.js';
import { embedding } from './embedding.js';
import { addLinear, linear } from './linear.js';
import { quantisedEmbedding, quantisedLinear } from './quantised-linear.js';
import { QuantisedMatrix } from './quantised-matrix.js';
import { StoredMatrix, storedEmbedding, storedLinear } from './stored-matrix.js';

/** A matrix `[out, in]` as a tensor, with few bits, or in a file. Tensors have gradients, and gradients pass through what is in a file. */
export type Matrix = tf.Tensor | QuantisedMatrix | StoredMatrix;

/** y = x Wᵀ + b of whatever matrix; see `linear`. */
export function matrixLinear(x: tf.Tensor, matrix: Matrix, bias?: tf.Tensor): tf.Tensor {
  if (matrix instanceof QuantisedMatrix) return quantisedLinear(x, matrix, bias);
  return matrix instanceof StoredMatrix ? storedLinear(x, matrix, bias) : linear(x, matrix, bias);
}

/** residual + x Wᵀ of whatever matrix; see `addLinear`. */
export function addMatrixLinear(residual: tf.Tensor, x: tf.Tensor, matrix: Matrix): tf.Tensor {
  if (matrix instanceof QuantisedMatrix) return tf.add(residual, quantisedLinear(x, matrix));
  return matrix instanceof StoredMatrix ? storedLinear(x, matrix, residual) : addLinear(residual, x, matrix);
}

/** Rows of whatever table; see `embedding`. */
export function matrixEmbedding(table: Matrix, ids: tf.Tensor): tf.Tensor {
  if (table instanceof QuantisedMatrix) return quantisedEmbedding(table, ids);
  return table instanceof StoredMatrix ? storedEmbedding(table, ids) : embedding(table, ids);
}

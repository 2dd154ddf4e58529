import { linear, tf } from '@palimpsest/tensor-core';
import type { LowRankUpdate } from '../parameters.js';

/**
 * What adapters add to the outputs of an affine map, nothing where none stands: scale · B A x (Hu et al. 2021).
 * @param x `[rows, in]`
 * @param adapters in order of their rows
 * @returns `[rows, outputs]`
 */
export function lowRankUpdate(x: tf.Tensor, adapters: readonly LowRankUpdate[], outputs: number): tf.Tensor {
  const count = x.shape[0]!;
  const parts: tf.Tensor[] = [];
  let end = 0;
  const fillTo = (row: number) => {
    if (row > end) parts.push(tf.zeros([count, row - end]));
  };
  for (const { row, rows, scale, a, b } of adapters) {
    fillTo(row);
    parts.push(linear(tf.mul(linear(x, a), scale), b));
    end = row + rows;
  }
  fillTo(outputs);
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
}

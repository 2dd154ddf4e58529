import { isBranch } from '@palimpsest/base';
import { tf } from '../tf.js';

/**
 * Adds the gradients of a further part of a batch to a running mean: total + gradients / parts. A missing gradient
 * counts as zero, on either side; a parameter that never has a gradient keeps none.
 * @param total the result of the former part; `undefined` for the first
 * @param parts number of parts that are added up
 */
export function accumulateGradients<G>(total: G | undefined, gradients: G, parts: number): G {
  return merge(total, gradients, parts) as G;
}

function merge(total: unknown, part: unknown, parts: number): unknown {
  if (part === undefined) return total;
  if (!isBranch(part)) {
    const share = tf.div(part as tf.Tensor, parts);
    return total === undefined ? share : tf.add(total as tf.Tensor, share);
  }
  const former = (total ?? {}) as Record<string, unknown>;
  const entries = Object.keys(part).map((key) => [
    key,
    merge(former[key], (part as Record<string, unknown>)[key], parts),
  ]);
  return Array.isArray(part) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

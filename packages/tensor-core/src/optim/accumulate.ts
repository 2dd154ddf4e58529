import { tf } from '../tf.js';
import { treeLeaves, treeMap } from '../tree.js';

/**
 * Adds gradients of a further part of a batch to a running mean: total + gradients / parts. A missing total or a
 * missing gradient counts as zero; a parameter that never has a gradient keeps none.
 */
export function accumulateGradients<G>(total: G | undefined, gradients: G, parts: number): G {
  const known = new Map(treeLeaves<tf.Tensor | undefined>(total).map(({ path, leaf }) => [path, leaf]));
  return treeMap<tf.Tensor | undefined, tf.Tensor | undefined>(gradients, (leaf, path) => {
    const before = known.get(path);
    if (!leaf) return before;
    const share = tf.div(leaf, parts);
    return before ? tf.add(before, share) : share;
  }) as G;
}

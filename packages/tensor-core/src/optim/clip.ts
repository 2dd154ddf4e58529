import { treeLeaves, treeMap } from '@palimpsest/base';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { reduce } from '../trace/reduce.js';

/** One node and no square in memory. */
const sumOfSquares = defineOp<Record<string, never>>({
  name: 'SumOfSquares',
  infer: () => [{ shape: [], dtype: 'float32' }],
  compose: ([x]) => [tf.sum(tf.square(x!))],
  trace: (graph, [x]) => [reduce(graph, 'ReduceSumSquare', x!, [...x!.shape.keys()], false)],
  gradient: ({ outputGradients: [dy], inputs: [x] }) => [tf.mul(x!, tf.mul(dy!, 2))],
});

/** Root of the sum of squares of all gradients that exist; 0 when there is none. */
export function globalNorm(gradients: unknown): tf.Scalar {
  const squares = treeLeaves<tf.Tensor | undefined>(gradients).flatMap(({ leaf }) =>
    leaf ? [sumOfSquares([leaf], {})[0]!] : [],
  );
  if (squares.length === 0) return tf.scalar(0);
  return tf.sqrt(squares.reduce((total, square) => tf.add(total, square))) as tf.Scalar;
}

/**
 * Scales all gradients by min(1, maxNorm / (norm + 1e-6)).
 * @param maxNorm 0 or less leaves the gradients as they are
 * @returns the gradients and their norm before clipping
 */
export function clipByGlobalNorm<G>(gradients: G, maxNorm: number): { gradients: G; norm: tf.Scalar } {
  const norm = globalNorm(gradients);
  if (!(maxNorm > 0)) return { gradients, norm };
  const factor = tf.minimum(1, tf.div(maxNorm, tf.add(norm, 1e-6)));
  const clipped = treeMap<tf.Tensor | undefined, tf.Tensor | undefined>(gradients, (leaf) =>
    leaf ? tf.mul(leaf, factor) : leaf,
  ) as G;
  return { gradients: clipped, norm };
}

import { InputError } from '@palimpsest/base';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { binary, unary, where } from '../trace/emit.js';
import { reduce } from '../trace/reduce.js';

/** No vector is scaled by less, so that one of zeros is not divided by 0. */
const SMALLEST = 2 ** -126;

/** Unit vectors, and the inverses of lengths. The largest number of a scaled vector is 1, so that its squares stay in range. */
const unitOp = defineOp<{ readonly axis: number; readonly epsilon: number }>({
  name: 'Normalise',
  infer: ([x], { axis }) => [x!, { shape: x!.shape.with(axis, 1), dtype: 'float32' }],
  compose: ([x], { axis, epsilon }) => {
    const scale = tf.maximum(tf.max(tf.abs(x!), axis, true), SMALLEST);
    const scaled = tf.div(x!, scale);
    const root = tf.sqrt(tf.sum(tf.square(scaled), axis, true));
    const hasDirection = tf.greater(tf.mul(scale, root), epsilon);
    const inverse = tf.where(hasDirection, tf.reciprocal(root), tf.zerosLike(root));
    return [tf.mul(scaled, inverse), tf.div(inverse, scale)];
  },
  trace: (graph, [x], { axis, epsilon }) => {
    const largest = reduce(graph, 'ReduceMax', unary(graph, 'Abs', x!), [axis], true);
    const scale = binary(graph, 'Max', largest, graph.scalar(SMALLEST));
    const scaled = binary(graph, 'Div', x!, scale);
    const root = unary(graph, 'Sqrt', reduce(graph, 'ReduceSumSquare', scaled, [axis], true));
    const length = binary(graph, 'Mul', scale, root);
    const hasDirection = binary(graph, 'Greater', length, graph.scalar(epsilon), 'bool');
    const inverse = where(graph, hasDirection, unary(graph, 'Reciprocal', root), graph.scalar(0), root.shape);
    return [binary(graph, 'Mul', scaled, inverse), binary(graph, 'Div', inverse, scale)];
  },
  gradient: ({ outputGradients: [dy], outputs: [unit, inverseLength], attributes: { axis } }) => {
    const along = tf.sum(tf.mul(dy!, unit!), axis, true);
    return [tf.mul(tf.sub(dy!, tf.mul(unit!, along)), inverseLength!)];
  },
});

/**
 * Scales vectors to length 1: x / ‖x‖₂ along an axis. A vector no longer than `epsilon` has no direction: it becomes 0
 * and gives gradient 0, where the gradient of x / √(x · x) is NaN. Lengths neither overflow nor underflow: 3e30 and
 * 3e-30 are scaled as well as 3.
 * @param x `[...]`, float32
 * @param axis default the last
 * @param epsilon default 1e-12
 * @returns as `x`
 * @throws InputError for an axis that `x` does not have, or a negative epsilon.
 */
export function normalise(x: tf.Tensor, axis = -1, epsilon = 1e-12): tf.Tensor {
  if (!Number.isInteger(axis) || axis >= x.rank || axis < -x.rank) {
    throw new InputError(
      `Vectors are normalised along an axis of the tensor, but axis ${axis} was given for ${x.rank} axes.`,
    );
  }
  if (!(epsilon >= 0)) throw new InputError(`An epsilon is 0 or more, but ${epsilon} was given.`);
  return unitOp([x], { axis: axis < 0 ? axis + x.rank : axis, epsilon })[0]!;
}

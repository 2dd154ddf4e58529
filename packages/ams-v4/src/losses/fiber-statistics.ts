import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { Coordinates } from '../model/adapters.js';

const FLOOR = 1e-12;

/** Of each text's fibers in time, topic and context, `[rows, 3]` each. */
export interface FiberStatistics {
  readonly lengths: tf.Tensor;
  /** Mean component of the fiber at unit length; 0 for a fiber of zeros. */
  readonly means: tf.Tensor;
}

/** All three fibers side by side, so that one product sums up each of them. */
export function fiberStatistics({ time, topic, ctx }: Coordinates): FiberStatistics {
  const fibers = [time.fiber, topic.fiber, ctx.fiber];
  const widths = fibers.map(({ shape }) => shape[1]!);
  const all = tf.concat(fibers, 1);
  const members = tf.tensor2d(
    widths.flatMap((width, fiber) =>
      Array.from({ length: width }, () => [0, 1, 2].map((i) => Number(i === fiber))),
    ),
  );
  const squares = tf.matMul(tf.square(all), members);
  const lengths = tf.sqrt(tf.maximum(squares, FLOOR * FLOOR));
  const hasDirection = tf.cast(tf.greater(stopGradient(squares), FLOOR * FLOOR), 'float32');
  const sums = tf.mul(tf.matMul(all, members), hasDirection);
  return { lengths, means: tf.div(sums, tf.mul(lengths, tf.tensor2d([widths]))) };
}

import { InputError, treeLeaves, treeMap, zeros } from '@palimpsest/base';
import { tf } from '../tf.js';
import type { AnyOptimizer, ParameterGroup } from './adamw.js';

export interface SgdOptions {
  /** Decoupled weight decay, times the learning rate. Default 0. */
  readonly weightDecay?: number;
  readonly groups?: readonly ParameterGroup[];
}

/**
 * Plain gradient descent: p ← p (1 − lr·decay) − lr·g. It keeps no moments; parameters without a gradient stay as they are.
 * @throws InputError for a negative decay.
 */
export function sgd({ weightDecay = 0, groups = [] }: SgdOptions = {}): AnyOptimizer {
  if (!(weightDecay >= 0)) {
    throw new InputError(`Gradient descent needs a weight decay of 0 or more, but got ${weightDecay}.`);
  }
  return {
    init: () => ({ step: zeros([]) }),
    update: (parameters, gradients, state, { learningRate }) => {
      const gradientOf = new Map(
        treeLeaves<tf.Tensor | undefined>(gradients).map(({ path, leaf }) => [path, leaf] as const),
      );
      const moved = treeMap<tf.Tensor, tf.Tensor>(parameters, (leaf, path) => {
        const gradient = gradientOf.get(path);
        if (!gradient) return leaf;
        const group = groups.find(({ match }) => match(path));
        const rate = tf.mul(learningRate, group?.rateMultiplier ?? 1);
        const decay = group?.weightDecay ?? weightDecay;
        const kept = decay === 0 ? leaf : tf.mul(leaf, tf.sub(1, tf.mul(rate, decay)));
        return tf.sub(kept, tf.mul(gradient, rate));
      });
      return { parameters: moved, state: { step: tf.add((state as { step: tf.Tensor }).step, 1) } };
    },
  };
}

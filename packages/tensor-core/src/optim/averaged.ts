import { InputError, type NDArray, treeLeaves, treeMap } from '@palimpsest/base';
import { tf } from '../tf.js';
import type { AnyOptimizer } from './adamw.js';

/** Beside what the optimiser that moves the weights keeps: a running mean of them, in their structure. */
interface State {
  readonly step: tf.Tensor;
  readonly mean: unknown;
}

/**
 * An optimiser whose weights to evaluate are an exponential running mean of those that it moves (Polyak & Juditsky 1992, with the
 * ramp that TensorFlow's moving averages have): m ← m + (1 − d)(p − m) with d = min(decay, (1 + t) / (10 + t)) at step t = 1, 2, ...
 * The moved weights go where they would go without it.
 * @param decay in (0, 1); the mean is over about 1 / (1 − decay) steps
 * @throws InputError for another decay, or an optimiser that averages by itself
 */
export function averaged(optimizer: AnyOptimizer, decay: number): AnyOptimizer {
  if (!(decay > 0 && decay < 1)) {
    throw new InputError(`A running mean of weights needs a decay between 0 and 1, but got ${decay}.`);
  }
  if (optimizer.evaluationParameters) {
    throw new InputError('This optimiser evaluates an average of its weights already; take no mean of it.');
  }
  return {
    init: (parameters) => ({
      ...(optimizer.init(parameters) as object),
      mean: treeMap<NDArray, NDArray>(
        parameters,
        (leaf) => ({ ...leaf, data: leaf.data.slice() }) as NDArray,
      ),
    }),
    update: (parameters, gradients, given, settings) => {
      const { mean: former, ...state } = given as State;
      const next = optimizer.update(parameters, gradients, state, settings);
      const after = next.state as Omit<State, 'mean'>;
      const share = tf.sub(1, tf.minimum(decay, tf.div(tf.add(after.step, 1), tf.add(after.step, 10))));
      const moved = new Map(treeLeaves<tf.Tensor>(next.parameters).map(({ path, leaf }) => [path, leaf]));
      const mean = treeMap<tf.Tensor, tf.Tensor>(former, (leaf, path) =>
        tf.add(leaf, tf.mul(share, tf.sub(moved.get(path)!, leaf))),
      );
      return { parameters: next.parameters, state: { ...after, mean } };
    },
    evaluationParameters: (_parameters, state) => (state as State).mean,
  };
}

import { tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import type { AttentionWatcher } from './setup.js';

/**
 * Mean entropy of the attention of every pass, in nats: near 0 it retrieves one row, near the logarithm of the number of
 * rows it averages. In the Hopfield view a pass is one update step, and this says how sharply it retrieves.
 */
export function entropyWatcher(config: OmConfig, isWanted: boolean) {
  const sums = config.dimsKey.map(() => [] as tf.Tensor[]);
  const watch: AttentionWatcher = (pass, probabilities) => {
    const logarithms = tf.log(tf.maximum(probabilities, 1e-30));
    sums[pass]!.push(tf.neg(tf.mean(tf.sum(tf.mul(probabilities, logarithms), -1))));
  };
  return {
    watch: isWanted ? watch : undefined,
    entropies: (): Record<string, tf.Tensor> =>
      Object.fromEntries(
        sums.map((entropies, pass) => [
          `attentionEntropy${pass}`,
          tf.div(
            entropies.reduce((a, b) => tf.add(a, b)),
            entropies.length,
          ),
        ]),
      ),
  };
}

/** Root mean square of the states, and how much of it the rows of a state share: 1 when all are equal. @param states `[batch, L, S, d]` */
export function stateTelemetry(states: tf.Tensor): Record<string, tf.Tensor> {
  const power = tf.mean(tf.square(states));
  const shared = tf.mean(tf.square(tf.mean(states, 2)));
  return { stateNorm: tf.sqrt(power), stateOverlap: tf.div(shared, tf.maximum(power, 1e-12)) };
}

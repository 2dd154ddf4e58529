import { keyedUniform, tf } from '@palimpsest/tensor-core';

/** The two networks of a block that drop activations. */
export type DropoutSite = 'readout' | 'value';

/** Where keep masks come from: drawn from a key, or given (1 keeps, 0 drops). */
export interface DropoutSource {
  keep(site: DropoutSite, shape: readonly number[]): tf.Tensor;
}

/** Given masks of one block, [batch, time, width] each. */
export type GivenMasks = Readonly<Record<DropoutSite, tf.Tensor>>;

export const givenMasks = (masks: GivenMasks): DropoutSource => ({ keep: (site) => masks[site] });

/**
 * Masks as a function of a key, different for every block and site.
 * @param key int32 [2], new for every training step.
 */
export function keyedMasks(key: tf.Tensor, block: number, rate: number): DropoutSource {
  const sites: Record<DropoutSite, number> = { readout: 0, value: 1 };
  return {
    keep: (site, shape) => {
      const siteKey = tf.add(key, tf.tensor1d([0, 2 * block + sites[site] + 1], 'int32'));
      return tf.cast(tf.greaterEqual(keyedUniform(siteKey, shape), rate), 'float32');
    },
  };
}

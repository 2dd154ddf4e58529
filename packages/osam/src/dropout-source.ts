import { keyedUniform, tf } from '@palimpsest/tensor-core';

/** The networks of a block that drop activations: both read-outs, of their hidden units, and the MLP, of what it adds. */
export type DropoutSite = 'readout' | 'value' | 'mlp';

/** Where keep masks come from: drawn from a key, or given (1 keeps, 0 drops). */
export interface DropoutSource {
  keep(site: DropoutSite, shape: readonly number[]): tf.Tensor;
}

/** Given masks of one block, [batch, time, width] each; all of a site that has none is kept. */
export type GivenMasks = Readonly<Partial<Record<DropoutSite, tf.Tensor>>>;

export const givenMasks = (masks: GivenMasks): DropoutSource => ({
  keep: (site, shape) => masks[site] ?? tf.ones([...shape]),
});

/**
 * Masks as a function of a key, different for every block and site.
 * @param key int32 [2], new for every training step.
 * @param rate by site
 */
export function keyedMasks(
  key: tf.Tensor,
  block: number,
  rate: Readonly<Record<DropoutSite, number>>,
): DropoutSource {
  const sites: Record<DropoutSite, number> = {
    readout: 2 * block + 1,
    value: 2 * block + 2,
    mlp: -(block + 1),
  };
  return {
    keep: (site, shape) => {
      const siteKey = tf.add(key, tf.tensor1d([0, sites[site]], 'int32'));
      return tf.cast(tf.greaterEqual(keyedUniform(siteKey, shape), rate[site]), 'float32');
    },
  };
}

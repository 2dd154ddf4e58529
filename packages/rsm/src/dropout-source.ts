import { dropout, dropoutWithMask, tf } from '@palimpsest/tensor-core';

/** Where a block drops: attention weights, the read's output, the hidden layer of the MLP. */
export type BlockSite = 'attention' | 'read' | 'mlp';
/** Places that drop activations, outside of blocks and inside of each. */
export type DropoutSite =
  | { readonly site: 'embedding' | 'sync' }
  | { readonly site: BlockSite; readonly block: number };

/** Drops activations; scales what is kept by 1 / (1 - rate). */
export type Dropout = (x: tf.Tensor, site: DropoutSite) => tf.Tensor;

export const noDropout: Dropout = (x) => x;

/** Keep masks (1 keeps, 0 drops) for every site: [batch, time, d], weights [batch, heads, time, time], [batch, time, 4 d]. */
export interface KeepMasks {
  readonly embedding: tf.Tensor;
  readonly blocks: readonly Readonly<Record<BlockSite, tf.Tensor>>[];
}

/** Dropout by given masks; a sync drops nothing. */
export function givenMasks(masks: KeepMasks, rate: number): Dropout {
  return (x, place) => {
    if (place.site === 'sync') return x;
    const keep = 'block' in place ? masks.blocks[place.block]![place.site] : masks.embedding;
    return dropoutWithMask(x, keep, rate);
  };
}

const siteNumbers = { embedding: 0, sync: 1, attention: 2, read: 3, mlp: 4 } as const;

/**
 * Dropout whose masks are a function of a key, different for every site, block and chunk.
 * @param key int32 [2], new for every training step.
 * @param rates of the model and of its sync.
 * @param chunk number of the chunk within the step. Default 0
 */
export function keyedDropout(
  key: tf.Tensor,
  rates: { readonly dropout: number; readonly globalSyncDropout: number },
  chunk = 0,
): Dropout {
  return (x, place) => {
    const rate = place.site === 'sync' ? rates.globalSyncDropout : rates.dropout;
    if (rate === 0) return x;
    const block = 'block' in place ? place.block : 0;
    const offset = tf.tensor1d([chunk, 8 * block + siteNumbers[place.site] + 1], 'int32');
    return dropout(x, rate, tf.add(key, offset));
  };
}

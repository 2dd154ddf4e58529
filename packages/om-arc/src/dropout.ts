import { dropout, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';

/** Where a layer drops: its attention block's output, its MLP's, or the attention probabilities of a pass. */
export type DropoutSite = 'attention' | 'mlp' | { readonly pass: number };

/** A layer at work on a segment. */
export interface Place {
  readonly layer: number;
  readonly segment: number;
}

/**
 * Drops activations and scales what is kept.
 * @param x the layers of `places`, or their heads, along the first axis
 */
export type Dropout = (x: tf.Tensor, site: DropoutSite, places: readonly Place[]) => tf.Tensor;

export const noDropout: Dropout = (x) => x;

const siteNumber = (site: DropoutSite) => (site === 'attention' ? 0 : site === 'mlp' ? 1 : 2 + site.pass);

/** The rates by site: the readme edition called the block's rate `dropout` and that of the probabilities `attnDropout`. */
function rateOf(config: OmConfig, site: DropoutSite): number {
  const isReadme = config.edition === 'readme';
  if (site === 'mlp') return config.dropout;
  if (site === 'attention') return isReadme ? config.dropout : config.attnDropout;
  return isReadme ? config.attnDropout : config.attnLogitDropout;
}

/**
 * Dropout whose masks are a function of a key, of layer, segment and site: the same whatever is computed side by side.
 * @param key int32 [2], new for every training step
 */
export function keyedDropout(config: OmConfig, key: tf.Tensor): Dropout {
  return (x, site, places) => {
    const rate = rateOf(config, site);
    if (rate === 0) return x;
    const pieces = tf.split(x, places.length, 0);
    const sites = 2 + config.dimsKey.length;
    const dropped = pieces.map((piece, i) => {
      const { layer, segment } = places[i]!;
      const offset = tf.tensor1d([segment, sites * layer + siteNumber(site)], 'int32');
      return dropout(piece, rate, tf.add(key, offset));
    });
    return dropped.length === 1 ? dropped[0]! : tf.concat(dropped, 0);
  };
}

import { embedding, linear, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import type { OmParams } from './parameters.js';
import { contextIds } from './plan.js';

/** The last `size` embeddings side by side, oldest first, of the positions from `first` on. @param e `[batch, ids, d]` */
function windows(e: tf.Tensor, size: number, first: number): tf.Tensor {
  const [batch, ids, d] = e.shape as [number, number, number];
  const count = ids - first;
  const shifted = Array.from({ length: size }, (_, i) =>
    tf.slice(e, [0, first - size + 1 + i, 0], [batch, count, d]),
  );
  return shifted.length === 1 ? shifted[0]! : tf.concat(shifted, 2);
}

/**
 * Embeddings, each with a learned function of the last k of them for every k: low-rank maps, or the readme edition's
 * convolutions. The first g ids are context only.
 * @param ids int32 `[batch, g + T]`
 * @returns `[batch, T, d]`
 */
export function embedIds(config: OmConfig, params: OmParams, ids: tf.Tensor): tf.Tensor {
  const e = embedding(params.embedding, ids);
  const first = contextIds(config);
  const own = windows(e, 1, first);
  const ngrams = (params.ngrams ?? []).map(({ down, up }, i) =>
    linear(linear(windows(e, config.initNgrams[i]!, first), down), up),
  );
  const convs = (params.convs ?? []).map(({ weight, bias }, i) =>
    linear(windows(e, config.initConvs[i]!, first), weight, bias),
  );
  return [...ngrams, ...convs].reduce((sum, part) => tf.add(sum, part), own);
}

import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import { type NDArray, normalise, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import { bundleAxisAlignment, type Triplets } from '../losses/bundle-axis-alignment.js';
import { crossBundleIndependence } from '../losses/cross-bundle-independence.js';
import { type AnchorBatch, prefixSemanticAnchor } from '../losses/prefix-semantic-anchor.js';
import { writePolicy } from '../losses/write-policy.js';
import { type AdapterParameters, type EncoderInputs, encodeAll } from '../model/adapters.js';
import { crossBundlePrefix } from '../prefix/cross-bundle-attention.js';

/** A batch of texts as the losses see it. */
export interface LossBatch<T = NDArray> {
  readonly inputs: EncoderInputs<T>;
  readonly triplets: Triplets<T>;
  /** Share of the texts with fewer than three tokens, a scalar. */
  readonly shortShare: T;
  /** Pooled states of the first halves, `[texts, dLLM]`, and the second halves; absent when no text has four tokens. */
  readonly anchor?: { readonly queries: T; readonly batch: AnchorBatch<T> };
}

/** The losses that have gradients. */
export interface Losses<T = tf.Tensor> {
  readonly prefixSemanticAnchor: T;
  readonly bundleAxisAlignment: T;
  readonly crossBundleIndependence: T;
  readonly writePolicy: T;
}

/** All losses of a batch (DERIVATION.md, "Losses"). */
export function batchLosses(
  config: MemoryConfig,
  model: Transformer,
  weights: TransformerParameters,
  adapters: AdapterParameters,
  { inputs, triplets, shortShare, anchor }: LossBatch<tf.Tensor>,
): Losses {
  const coordinates = encodeAll(adapters, config, inputs);
  const axis = (raw: tf.Tensor) => normalise(raw, -1, 1e-8);
  const axes = {
    time: axis(adapters.bundle_time._axis_raw),
    topic: axis(adapters.bundle_topic._axis_raw),
    ctx: axis(adapters.bundle_ctx._axis_raw),
  };
  const { time, topic, ctx } = coordinates;
  const fibers = { time: time.fiber, topic: topic.fiber, ctx: ctx.fiber };
  return {
    prefixSemanticAnchor: anchor
      ? prefixSemanticAnchor(
          model,
          weights,
          crossBundlePrefix(adapters.cross_attn, config, anchor.queries, fibers),
          anchor.batch,
        )
      : tf.scalar(0),
    bundleAxisAlignment: bundleAxisAlignment(coordinates, axes, triplets),
    crossBundleIndependence: crossBundleIndependence(coordinates),
    writePolicy: writePolicy(coordinates, shortShare),
  };
}

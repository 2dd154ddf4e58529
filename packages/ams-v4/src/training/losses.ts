import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import { type NDArray, normalise, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import { along, bundleAxisAlignment, type TripletWeights } from '../losses/bundle-axis-alignment.js';
import { correlations } from '../losses/correlations.js';
import { crossBundleIndependence } from '../losses/cross-bundle-independence.js';
import { fiberStatistics } from '../losses/fiber-statistics.js';
import { type AnchorBatch, prefixSemanticAnchor } from '../losses/prefix-semantic-anchor.js';
import { writePolicy } from '../losses/write-policy.js';
import { type AdapterParameters, type EncoderInputs, encodeAll } from '../model/adapters.js';
import { crossBundlePrefix } from '../prefix/cross-bundle-attention.js';

/** A batch of texts as the losses see it. */
export interface LossBatch<T = NDArray> {
  readonly inputs: Pick<EncoderInputs<T>, 'hidden' | 'centroids' | 'sessionSummary'>;
  readonly triplets: TripletWeights<T>;
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
  const rows = inputs.hidden.shape[0]!;
  const coordinates = encodeAll(adapters, config, { ...inputs, ...clockOf(rows) });
  const { time, topic, ctx } = coordinates;
  const fibers = { time: time.fiber, topic: topic.fiber, ctx: ctx.fiber };
  const { lengths, means } = fiberStatistics(coordinates);
  // A correlation is the same however long the axis of time is.
  const r =
    rows > 1
      ? correlations(tf.concat([means, along(time.base, adapters.bundle_time._axis_raw), ranks(rows)], 1))
      : undefined;
  const order = r && tf.reshape(tf.slice(r, [3, 4], [1, 1]), []);
  return {
    prefixSemanticAnchor: anchor
      ? prefixSemanticAnchor(
          model,
          weights,
          crossBundlePrefix(adapters.cross_attn, config, anchor.queries, fibers),
          anchor.batch,
        )
      : tf.scalar(0),
    bundleAxisAlignment: bundleAxisAlignment(
      coordinates,
      normalise(adapters.bundle_ctx._axis_raw, -1, 1e-8),
      order,
      triplets,
    ),
    crossBundleIndependence: r ? crossBundleIndependence(r) : tf.scalar(0),
    writePolicy: writePolicy(lengths, shortShare),
  };
}

/** 0, 1, …, `[rows, 1]` */
const ranks = (rows: number): tf.Tensor => tf.reshape(tf.range(0, rows), [rows, 1]);

/** Row i is written at time i, without surprise: constants, so that a graph has the features of the clock once and for all. */
const clockOf = (rows: number): Pick<EncoderInputs, 'timeScalars' | 'surprise'> => ({
  timeScalars: tf.concat([ranks(rows), tf.zeros([rows, 2])], 1),
  surprise: tf.zeros([rows]),
});

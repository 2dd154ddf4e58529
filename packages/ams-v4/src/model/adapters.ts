import type { NDArray, Rng, tf } from '@palimpsest/tensor-core';
import { type BundleTrees, bundlesInit } from '../bundles.js';
import type { MemoryConfig } from '../config.js';
import { encodeContext } from '../encoders/context-encoder.js';
import { encodeTime } from '../encoders/time-encoder.js';
import { encodeTopic } from '../encoders/topic-encoder.js';
import {
  type CrossBundleParameters,
  crossBundleInit,
  type PerBundle,
} from '../prefix/cross-bundle-attention.js';

/** Everything that is trained: the three bundles and the fiber prefix. The language model is not in it. */
export type AdapterParameters<T = tf.Tensor> = BundleTrees<T> & {
  readonly cross_attn: CrossBundleParameters<T>;
};

/** What the encoders read of them. */
export type EncoderTrees<T = tf.Tensor> = {
  readonly [Name in keyof BundleTrees<T>]: Pick<BundleTrees<T>[Name], 'encoder'>;
};

/** What a memory reads of them when it writes and when it is asked: not the geometry of the bundles, which is most of them. */
export type ReadParameters<T = tf.Tensor> = EncoderTrees<T> & Pick<AdapterParameters<T>, 'cross_attn'>;

export function readParameters<T>({
  bundle_time,
  bundle_topic,
  bundle_ctx,
  cross_attn,
}: AdapterParameters<T>): ReadParameters<T> {
  return {
    bundle_time: { encoder: bundle_time.encoder },
    bundle_topic: { encoder: bundle_topic.encoder },
    bundle_ctx: { encoder: bundle_ctx.encoder },
    cross_attn,
  };
}

/** @param embeddingNorm mean length of a token embedding of the language model */
export function adaptersInit(
  config: MemoryConfig,
  rng: Rng,
  embeddingNorm: number,
): AdapterParameters<NDArray> {
  return { ...bundlesInit(config, rng), cross_attn: crossBundleInit(config, rng, embeddingNorm) };
}

/** What the encoders read of each of several texts. */
export type EncoderInputs<T = tf.Tensor> = {
  /** Pooled states, `[rows, dLLM]`. */
  readonly hidden: T;
  /** Centroids of the tokens, `[rows, dLLM]`. */
  readonly centroids: T;
  /** `[rows, 3]` */
  readonly timeScalars: T;
  /** `[rows]` */
  readonly surprise: T;
  /** `[rows, dLLM]` */
  readonly sessionSummary: T;
  /** `[rows, turns, dLLM]` */
  readonly prevTurns?: T;
};

/** Base, fiber and direction of each of several texts, `[rows, width]` each. */
export type Coordinates<T = tf.Tensor> = PerBundle<{ readonly base: T; readonly fiber: T; readonly dirn: T }>;

/** Coordinates of texts in the three bundles. */
export function encodeAll(adapters: EncoderTrees, config: MemoryConfig, inputs: EncoderInputs): Coordinates {
  const { hidden, centroids, timeScalars, surprise, sessionSummary, prevTurns } = inputs;
  return {
    time: encodeTime(adapters.bundle_time.encoder, config, hidden, timeScalars, surprise),
    topic: encodeTopic(adapters.bundle_topic.encoder, config, hidden, centroids),
    ctx: encodeContext(adapters.bundle_ctx.encoder, config, hidden, sessionSummary, prevTurns),
  };
}

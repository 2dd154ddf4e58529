import { tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../../config.js';
import { emptyStatistics, type FeatureStatistics, mergeStatistics } from '../../features/statistics.js';
import { nammPolicy } from '../../policy/namm-policy.js';
import type { CachePolicy, CacheView, PolicyState } from '../../policy/policy.js';

/**
 * What all members of a population have in common: the graphs of their policy. Parameters come with the texts.
 * @param collects moments of the features at every update, in what is carried about each text
 */
export function populationPolicy(config: NAMMConfig, collects: boolean): CachePolicy {
  const common = nammPolicy(config, { vectors: [] });
  if (!collects) return common;
  // What it carries about texts goes through the graph.
  const { onHost: _, ...inGraphs } = common;
  return { ...inGraphs, ...collecting(common) };
}

/** Lets what is carried about texts go through `observe`, and adds the moments of every update to it. */
function collecting({ observe, afterUpdate }: CachePolicy): Partial<CachePolicy> {
  return {
    observe: (state, piece) => ({ ...observe!(state, piece), ...(state?.text && { text: state.text }) }),
    afterUpdate: (state, scores, view) => {
      const left = afterUpdate?.(state, scores, view) ?? state;
      return { ...left, text: mergedMoments(state, view) };
    },
  };
}

/** Moments of each text's features before normalisation: mean and variance `[batch, width]`, count `[batch, 1]`. */
function mergedMoments(
  { tokens, text }: PolicyState,
  { valid }: CacheView,
): NonNullable<PolicyState['text']> {
  const features = tokens.average!;
  const [batch, , width] = features.shape as [number, number, number, number];
  const weights = tf.expandDims(tf.cast(valid, 'float32'), 2);
  const perText = (x: tf.Tensor) => tf.reshape(x, [batch, x.size / batch]);
  const count = perText(tf.sum(weights, [1, 2, 3]));
  const share = tf.div(1, tf.maximum(count, 1));
  const mean = tf.mul(perText(tf.sum(tf.mul(features, weights), [1, 3])), share);
  const centred = tf.sub(features, tf.reshape(mean, [batch, 1, width, 1]));
  const variance = tf.mul(perText(tf.sum(tf.mul(tf.square(centred), weights), [1, 3])), share);
  if (!text) return { mean, variance, count };
  const all = tf.add(text.count!, count);
  const shareOld = tf.div(text.count!, tf.maximum(all, 1));
  const shareNew = tf.sub(1, shareOld);
  const mix = (old: tf.Tensor, fresh: tf.Tensor) => tf.add(tf.mul(old, shareOld), tf.mul(fresh, shareNew));
  const apart = tf.square(tf.sub(mean, text.mean!));
  return {
    mean: mix(text.mean!, mean),
    variance: tf.add(mix(text.variance!, variance), tf.mul(tf.mul(shareOld, shareNew), apart)),
    count: all,
  };
}

interface TextMoments {
  readonly mean: ArrayLike<number>;
  readonly variance: ArrayLike<number>;
  readonly count: ArrayLike<number>;
}

/** Moments of all texts of a layer together. */
export function momentsOfTexts({ mean, variance, count }: TextMoments): FeatureStatistics {
  const width = mean.length / count.length;
  const rows = Array.from({ length: count.length }, (_, row) => ({
    mean: Float32Array.from({ length: width }, (__, i) => mean[row * width + i]!),
    variance: Float32Array.from({ length: width }, (__, i) => variance[row * width + i]!),
    count: count[row]!,
  }));
  return rows.reduce(mergeStatistics, emptyStatistics(width));
}

import { InputError, tf } from '@palimpsest/tensor-core';

/** Mean and biased variance of every feature, and how many values they stand for. */
export interface FeatureStatistics {
  /** `[features]` */
  readonly mean: Float32Array;
  /** `[features]` */
  readonly variance: Float32Array;
  /** Triples of batch, head and token. */
  readonly count: number;
}

const LEAST_DEVIATION = 1e-7;

/**
 * Features to mean 0 and deviation 1.
 * @param features `[batch, heads, features, tokens]`
 * @param mean of every feature, `[features]`
 * @param variance as mean
 */
export function normaliseFeatures(features: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor): tf.Tensor {
  const column = (values: tf.Tensor) => tf.reshape(values, [1, 1, values.size, 1]);
  const deviation = tf.maximum(tf.sqrt(variance), LEAST_DEVIATION);
  return tf.div(tf.sub(features, column(mean)), column(deviation));
}

/**
 * Moments of valid tokens: mean and biased variance `[features]`, count `[]`.
 * @param features `[batch, heads, features, tokens]`
 * @param valid bool or 0/1 `[batch, heads or 1, tokens]`; default: all
 */
export function momentsOf(
  features: tf.Tensor,
  valid: tf.Tensor | undefined,
): { mean: tf.Tensor; variance: tf.Tensor; count: tf.Tensor } {
  const [batch, heads, , tokens] = features.shape as [number, number, number, number];
  const ones = tf.ones([batch, heads, tokens]);
  const weights = valid ? tf.mul(ones, tf.cast(valid, 'float32')) : ones;
  const column = tf.reshape(weights, [batch, heads, 1, tokens]);
  const count = tf.sum(weights);
  const share = tf.div(1, tf.maximum(count, 1));
  const mean = tf.mul(tf.sum(tf.mul(features, column), [0, 1, 3]), share);
  const centred = tf.sub(features, tf.reshape(mean, [1, 1, mean.size, 1]));
  const variance = tf.mul(tf.sum(tf.mul(tf.square(centred), column), [0, 1, 3]), share);
  return { mean, variance, count };
}

/** Statistics of two sets of values together; the order of merging does not matter. */
export function mergeStatistics(a: FeatureStatistics, b: FeatureStatistics): FeatureStatistics {
  const count = a.count + b.count;
  const shareA = a.count / Math.max(count, 1);
  const shareB = 1 - shareA;
  const at = (values: Float32Array, index: number) => values[index]!;
  return {
    count,
    mean: a.mean.map((value, index) => shareA * value + shareB * at(b.mean, index)),
    variance: a.variance.map(
      (value, index) =>
        shareA * value +
        shareB * at(b.variance, index) +
        shareA * shareB * (at(b.mean, index) - at(a.mean, index)) ** 2,
    ),
  };
}

/**
 * @param width of a spectrum
 * @throws InputError for statistics of no layer, of another width, or with numbers that no values have: means and variances are
 * finite, variances and counts not below 0.
 */
export function checkStatistics(statistics: readonly FeatureStatistics[], width: number): void {
  if (statistics.length === 0) {
    throw new InputError('Statistics stand for all layers together or for each one, but there are none.');
  }
  for (const [layer, { mean, variance, count }] of statistics.entries()) {
    const refuse = (what: string) =>
      new InputError(`Statistics ${layer} of the features ${what}; estimate them anew (recalibrate).`);
    if (mean.length !== width || variance.length !== width) {
      throw refuse(
        `have ${mean.length} means and ${variance.length} variances, but a spectrum is ${width} wide`,
      );
    }
    if (!mean.every(Number.isFinite)) throw refuse('have a mean that is no finite number');
    const isNone = (value: number) => !(value >= 0 && value < Number.POSITIVE_INFINITY);
    const wrong = variance.find(isNone);
    if (wrong !== undefined) throw refuse(`have a variance of ${wrong}, but one is finite and not below 0`);
    if (isNone(count)) throw refuse(`are of ${count} values, which is no number of them`);
  }
}

/** Statistics of no values. */
export const emptyStatistics = (features: number): FeatureStatistics => ({
  mean: new Float32Array(features),
  variance: new Float32Array(features),
  count: 0,
});

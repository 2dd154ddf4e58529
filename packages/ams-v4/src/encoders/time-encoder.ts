import type { Encoded } from '@palimpsest/fiber-geometry';
import { layerNorm, type NDArray, normalise, type Rng, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import {
  affine,
  type LinearParameters,
  linearInit,
  type NormParameters,
  normInit,
  type TwoLayerParameters,
  twoLayer,
  twoLayerInit,
} from '../layers.js';
import { expectShape } from './check-shapes.js';
import { TIME_SCALARS, timeFeatureCount, timeFeatures } from './time-features.js';

/** Shortest length that a direction is divided by. */
export const DIRECTION_FLOOR = 1e-8;

export type TimeEncoderParameters<T = tf.Tensor> = {
  readonly time_mlp: TwoLayerParameters<T>;
  readonly hidden_proj: LinearParameters<T>;
  readonly base_ln: NormParameters<T>;
  readonly fiber_mlp: TwoLayerParameters<T>;
};

export function timeEncoderInit(config: MemoryConfig, rng: Rng): TimeEncoderParameters<NDArray> {
  const { dLLM, dTime, dFTime } = config;
  return {
    time_mlp: twoLayerInit(rng, timeFeatureCount(config), Math.max(4 * dTime, 32), dTime),
    hidden_proj: linearInit(rng, dLLM, dTime),
    base_ln: normInit(dTime),
    fiber_mlp: twoLayerInit(rng, dLLM + dTime + 1, Math.max(4 * dFTime, 64), dFTime),
  };
}

/**
 * Coordinates of memories in the time bundle (DERIVATION.md, "Encoders").
 * @param hidden `[rows, dLLM]`, pooled states
 * @param timeScalars `[rows, 3]`: time of writing, time since the last use, number of uses
 * @param surprise `[rows]` or `[rows, 1]`
 * @returns base `[rows, dTime]`, fiber `[rows, dFTime]`, dirn `[rows, dTime]` of unit length
 * @throws InputError for a wrong rank or width.
 */
export function encodeTime(
  parameters: TimeEncoderParameters,
  config: MemoryConfig,
  hidden: tf.Tensor,
  timeScalars: tf.Tensor,
  surprise: tf.Tensor,
): Encoded {
  expectShape('The pooled state', hidden, [-1, config.dLLM]);
  const rows = hidden.shape[0]!;
  expectShape('The clock', timeScalars, [rows, TIME_SCALARS]);
  expectShape('The surprise', surprise, surprise.rank === 1 ? [rows] : [rows, 1]);
  const clock = twoLayer(timeFeatures(timeScalars, config), parameters.time_mlp);
  const { weight, bias } = parameters.base_ln;
  const base = layerNorm(tf.add(clock, affine(hidden, parameters.hidden_proj)), weight, bias);
  const fiber = twoLayer(tf.concat([hidden, base, tf.reshape(surprise, [rows, 1])], 1), parameters.fiber_mlp);
  return { base, fiber, dirn: normalise(base, -1, DIRECTION_FLOOR) };
}

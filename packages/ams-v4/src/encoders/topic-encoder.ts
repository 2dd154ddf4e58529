import type { Encoded } from '@palimpsest/fiber-geometry';
import { type NDArray, normalise, type Rng, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import {
  affine,
  type LinearParameters,
  linearInit,
  type TwoLayerParameters,
  twoLayer,
  twoLayerInit,
} from '../layers.js';
import { expectShape } from './check-shapes.js';
import { DIRECTION_FLOOR } from './time-encoder.js';

export type TopicEncoderParameters<T = tf.Tensor> = {
  readonly down_project: TwoLayerParameters<T>;
  readonly hidden_to_topic: LinearParameters<T>;
  readonly fiber_mlp: TwoLayerParameters<T>;
};

export function topicEncoderInit(config: MemoryConfig, rng: Rng): TopicEncoderParameters<NDArray> {
  const { dLLM, dTopic, dFTopic } = config;
  return {
    down_project: twoLayerInit(rng, dLLM, Math.max(4 * dTopic, 64), dTopic),
    hidden_to_topic: linearInit(rng, dLLM, dTopic),
    fiber_mlp: twoLayerInit(rng, dLLM + dTopic, Math.max(4 * dFTopic, 128), dFTopic),
  };
}

/**
 * Coordinates of memories in the topic bundle, whose base is the unit sphere (DERIVATION.md, "Encoders").
 * @param hidden `[rows, dLLM]`, pooled states
 * @param centroid `[rows, dLLM]`, from `contentCentroids`
 * @returns base `[rows, dTopic]` of unit length, fiber `[rows, dFTopic]`; the direction is the base
 * @throws InputError for a wrong rank or width.
 */
export function encodeTopic(
  parameters: TopicEncoderParameters,
  config: MemoryConfig,
  hidden: tf.Tensor,
  centroid: tf.Tensor,
): Encoded {
  expectShape('The pooled state', hidden, [-1, config.dLLM]);
  expectShape('The centroid of the tokens', centroid, [hidden.shape[0]!, config.dLLM]);
  const mixed = tf.add(
    twoLayer(centroid, parameters.down_project),
    affine(hidden, parameters.hidden_to_topic),
  );
  const base = normalise(mixed, -1, DIRECTION_FLOOR);
  return { base, fiber: twoLayer(tf.concat([hidden, base], 1), parameters.fiber_mlp), dirn: base };
}

import type { Encoded } from '@palimpsest/fiber-geometry';
import { layerNorm, type NDArray, normalise, type Rng, softmax, tf } from '@palimpsest/tensor-core';
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
import { DIRECTION_FLOOR } from './time-encoder.js';

export type ContextEncoderParameters<T = tf.Tensor> = {
  readonly q_proj: LinearParameters<T>;
  readonly k_proj: LinearParameters<T>;
  readonly v_proj: LinearParameters<T>;
  readonly mix_mlp: TwoLayerParameters<T>;
  readonly base_ln: NormParameters<T>;
  readonly fiber_mlp: TwoLayerParameters<T>;
};

const attentionWidth = ({ dCtx }: MemoryConfig): number => Math.max(4 * dCtx, 32);

export function contextEncoderInit(config: MemoryConfig, rng: Rng): ContextEncoderParameters<NDArray> {
  const { dLLM, dCtx, dFCtx } = config;
  const width = attentionWidth(config);
  return {
    q_proj: linearInit(rng, dLLM, width),
    k_proj: linearInit(rng, dLLM, width),
    v_proj: linearInit(rng, dLLM, width),
    mix_mlp: twoLayerInit(rng, 2 * dLLM + width, Math.max(4 * dCtx, 64), dCtx),
    base_ln: normInit(dCtx),
    fiber_mlp: twoLayerInit(rng, 2 * dLLM + dCtx, Math.max(4 * dFCtx, 96), dFCtx),
  };
}

/**
 * What a memory takes from the turns before it: attention of one head over their pooled states, zeros without turns.
 * @param hidden `[rows, dLLM]`
 * @param prevTurns `[rows, turns, dLLM]`
 * @returns `[rows, max(4 dCtx, 32)]`
 * @throws InputError for a wrong rank, width or number of rows.
 */
export function poolTurns(
  parameters: ContextEncoderParameters,
  config: MemoryConfig,
  hidden: tf.Tensor,
  prevTurns?: tf.Tensor,
): tf.Tensor {
  const [rows, width] = [hidden.shape[0]!, attentionWidth(config)];
  if (prevTurns) expectShape('The previous turns', prevTurns, [rows, -1, config.dLLM]);
  if (!prevTurns || prevTurns.shape[1] === 0) return tf.zeros([rows, width]);
  const query = tf.expandDims(affine(hidden, parameters.q_proj), 1);
  const scores = tf.matMul(query, affine(prevTurns, parameters.k_proj), false, true);
  const weights = softmax(tf.div(scores, Math.sqrt(width)));
  return tf.reshape(tf.matMul(weights, affine(prevTurns, parameters.v_proj)), [rows, width]);
}

/**
 * Coordinates of memories in the context bundle (DERIVATION.md, "Encoders").
 * @param hidden `[rows, dLLM]`, pooled states
 * @param sessionSummary `[rows, dLLM]`, running mean of the session's pooled states
 * @param prevTurns `[rows, turns, dLLM]`, pooled states of the turns before
 * @returns base `[rows, dCtx]`, fiber `[rows, dFCtx]`, dirn `[rows, dCtx]` of unit length
 * @throws InputError for a wrong rank or width.
 */
export function encodeContext(
  parameters: ContextEncoderParameters,
  config: MemoryConfig,
  hidden: tf.Tensor,
  sessionSummary: tf.Tensor,
  prevTurns?: tf.Tensor,
): Encoded {
  expectShape('The pooled state', hidden, [-1, config.dLLM]);
  expectShape('The session summary', sessionSummary, [hidden.shape[0]!, config.dLLM]);
  const pool = poolTurns(parameters, config, hidden, prevTurns);
  const { weight, bias } = parameters.base_ln;
  const mixed = twoLayer(tf.concat([hidden, sessionSummary, pool], 1), parameters.mix_mlp);
  const base = layerNorm(mixed, weight, bias);
  const fiber = twoLayer(tf.concat([hidden, base, sessionSummary], 1), parameters.fiber_mlp);
  return { base, fiber, dirn: normalise(base, -1, DIRECTION_FLOOR) };
}

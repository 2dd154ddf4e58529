import { layerNorm, linear, type NDArray, ndarray, type Rng, tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import { expectShape } from '../encoders/check-shapes.js';
import { affine, type LinearParameters, linearInit, type NormParameters, normInit } from '../layers.js';
import { attendFibers, type FiberAttentionParameters, fiberAttentionInit } from './fiber-attention.js';

/** One value per bundle. */
export interface PerBundle<V> {
  readonly time: V;
  readonly topic: V;
  readonly ctx: V;
}

export type QueryHeadParameters<T = tf.Tensor> = {
  readonly ln: NormParameters<T>;
  readonly q_time: LinearParameters<T>;
  readonly q_topic: LinearParameters<T>;
  readonly q_ctx: LinearParameters<T>;
};

/** Parameters of the fiber prefix under the published keys. */
export type CrossBundleParameters<T = tf.Tensor> = {
  readonly query_heads: QueryHeadParameters<T>;
  readonly attn_time: FiberAttentionParameters<T>;
  readonly attn_topic: FiberAttentionParameters<T>;
  readonly attn_ctx: FiberAttentionParameters<T>;
  readonly lift_time: readonly LinearParameters<T>[];
  readonly lift_topic: readonly LinearParameters<T>[];
  readonly lift_ctx: readonly LinearParameters<T>[];
  readonly prefix_ln: NormParameters<T>;
  /** `[1]` with `prefixScaleInit: 'unit'`, else one gain per slot, `[lMem]`. */
  readonly prefix_scale: T;
};

/**
 * Fresh parameters.
 * @param embeddingNorm mean length of a token embedding, which a slot of `prefixScaleInit: 'embedding'` starts with. Default 1
 */
export function crossBundleInit(
  config: MemoryConfig,
  rng: Rng,
  embeddingNorm = 1,
): CrossBundleParameters<NDArray> {
  const { dLLM, dFTime, dFTopic, dFCtx, lMem } = config;
  const lifts = (width: number, slots: number) =>
    Array.from({ length: slots }, () => linearInit(rng, width, dLLM));
  const unit = config.prefixScaleInit === 'unit';
  const scale = (unit ? 1 : embeddingNorm) / Math.sqrt(dLLM);
  return {
    query_heads: {
      ln: normInit(dLLM),
      q_time: linearInit(rng, dLLM, dFTime),
      q_topic: linearInit(rng, dLLM, dFTopic),
      q_ctx: linearInit(rng, dLLM, dFCtx),
    },
    attn_time: fiberAttentionInit(rng, dFTime),
    attn_topic: fiberAttentionInit(rng, dFTopic),
    attn_ctx: fiberAttentionInit(rng, dFCtx),
    lift_time: lifts(dFTime, config.prefixSlotsTime),
    lift_topic: lifts(dFTopic, config.prefixSlotsTopic),
    lift_ctx: lifts(dFCtx, config.prefixSlotsCtx),
    prefix_ln: normInit(dLLM),
    prefix_scale: ndarray(new Float32Array(unit ? 1 : lMem).fill(scale), [unit ? 1 : lMem]),
  };
}

/**
 * What a prompt asks each bundle for.
 * @param hidden `[rows, dLLM]`, pooled states of prompts
 * @returns one query per bundle, `[rows, fiber width]`
 */
export function queryHeads(
  { ln, q_time, q_topic, q_ctx }: QueryHeadParameters,
  hidden: tf.Tensor,
): PerBundle<tf.Tensor> {
  const normed = layerNorm(hidden, ln.weight, ln.bias);
  return { time: affine(normed, q_time), topic: affine(normed, q_topic), ctx: affine(normed, q_ctx) };
}

/** All slots of a bundle by one product, `[rows, width]` to `[rows, slots, dLLM]`; a map may be those of several slots on top of each other. */
function liftSlots(x: tf.Tensor, lifts: readonly LinearParameters[], width: number): tf.Tensor {
  const weight = tf.concat(
    lifts.map((lift) => lift.weight),
    0,
  );
  const bias = tf.concat(
    lifts.map((lift) => lift.bias),
    0,
  );
  return tf.reshape(linear(x, weight, bias), [x.shape[0]!, bias.shape[0]! / width, width]);
}

/**
 * The fiber prefix: what three attentions read off the fibers of all memories, lifted to slots of the embeddings' width
 * (DERIVATION.md, "The fiber prefix").
 * @param hidden `[rows, dLLM]`, pooled states of prompts
 * @param fibers `[memories, fiber width]` per bundle, the same for all rows
 * @param ignore `[rows, memories]`, true for memories that a row does not see
 * @returns `[rows, lMem, dLLM]`, slots of time, topic and context in this order
 * @throws InputError when there is no memory, or a shape does not fit.
 */
export function crossBundlePrefix(
  parameters: CrossBundleParameters,
  config: MemoryConfig,
  hidden: tf.Tensor,
  fibers: PerBundle<tf.Tensor>,
  ignore?: tf.Tensor,
): tf.Tensor {
  const { dLLM, nHeadsTime, nHeadsTopic, nHeadsCtx } = config;
  expectShape('The pooled state', hidden, [-1, dLLM]);
  const queries = queryHeads(parameters.query_heads, hidden);
  const { attn_time, attn_topic, attn_ctx, lift_time, lift_topic, lift_ctx } = parameters;
  const read = (attention: FiberAttentionParameters, heads: number, bundle: keyof PerBundle<unknown>) =>
    attendFibers(attention, heads, queries[bundle], fibers[bundle], ignore).output;
  const slots = tf.concat(
    [
      liftSlots(read(attn_time, nHeadsTime, 'time'), lift_time, dLLM),
      liftSlots(read(attn_topic, nHeadsTopic, 'topic'), lift_topic, dLLM),
      liftSlots(read(attn_ctx, nHeadsCtx, 'ctx'), lift_ctx, dLLM),
    ],
    1,
  );
  const { prefix_ln, prefix_scale } = parameters;
  const scale = tf.reshape(prefix_scale, [prefix_scale.shape[0]!, 1]);
  return tf.mul(layerNorm(slots, prefix_ln.weight, prefix_ln.bias), scale);
}

import { linear, type NDArray, ndarray, type Rng, tf, uniformInit, zeros } from '@palimpsest/tensor-core';
import { timeFrequencies } from '../encoders/time-features.js';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import type { ConversationConfig } from './config.js';

type Map<T> = { readonly weight: T };
type Affine<T> = { readonly weight: T; readonly bias: T };

/** Linear maps from features to directions, for memories and for queries (DERIVATION.md, "Retrieval"). */
export type HeadParameters<T = tf.Tensor> = {
  readonly memory: { readonly topic: Affine<T>; readonly time: Map<T>; readonly ctx: Map<T> };
  readonly query: { readonly topic: Affine<T>; readonly time: Map<T>; readonly ctx: Map<T> };
  /** `[dTime]` */
  readonly timeAxis: T;
  /** Weights of time, topic and context before softplus, `[3]`. */
  readonly rawBundleWeight: T;
};

/** Weights that the bundles start with. */
const FIRST_WEIGHTS = [0.1, 1, 0.1];
const AXIS_BOUND = 0.05;
/** Divides log(1 + ts), which grows beyond the sines. */
const LOG_SCALE = 5;
/** Under the root of a length, so that a vector of zeros has a gradient. */
const LENGTH_FLOOR = 1e-12;

const clockWidth = (dTime: number): number => 2 * timeFrequencies(dTime, 'octave').length + 1;

/** Uniform in ±1/√inputs, biases and the queries' map to time at 0. */
export function headsInit(
  { dTime, dTopic, dCtx }: ConversationConfig,
  width: number,
  rng: Rng,
): HeadParameters<NDArray> {
  const map = (inputs: number, outputs: number) => ({
    weight: uniformInit(rng, [outputs, inputs], 1 / Math.sqrt(inputs)),
  });
  const affine = (inputs: number, outputs: number) => ({ ...map(inputs, outputs), bias: zeros([outputs]) });
  const beforeSoftplus = FIRST_WEIGHTS.map((weight) => Math.log(Math.expm1(weight)));
  return {
    memory: {
      topic: affine(2 * width, dTopic),
      time: map(clockWidth(dTime) + width, dTime),
      ctx: map(2 * width, dCtx),
    },
    query: {
      topic: affine(2 * width, dTopic),
      time: { weight: zeros([dTime, width]) },
      ctx: map(2 * width, dCtx),
    },
    timeAxis: uniformInit(rng, [dTime], AXIS_BOUND),
    rawBundleWeight: ndarray(Float32Array.from(beforeSoftplus), [3]),
  };
}

/** x / √(Σx² + 1e-12): length 1, and a finite gradient at 0. */
export const safeUnit = (x: tf.Tensor): tf.Tensor =>
  tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), -1, true), LENGTH_FLOOR)));

/** What the heads read: standardised centroids and states, `[..., width]`, and the session summary, `[..., width]`. */
export type HeadInputs<T = tf.Tensor> = {
  readonly centroid: T;
  readonly hidden: T;
  readonly summary: T;
};

/**
 * Directions of memories.
 * @param times when they were written, `[...]`
 * @returns unit vectors, `[..., dTime | dTopic | dCtx]`
 */
export function memoryDirections(
  { memory }: HeadParameters,
  { centroid, hidden, summary }: HeadInputs,
  times: tf.Tensor,
): PerBundle<tf.Tensor> {
  const dTime = memory.time.weight.shape[0]!;
  const at = tf.expandDims(times, -1);
  const angles = tf.mul(at, tf.tensor1d(timeFrequencies(dTime, 'octave')));
  const clock = [tf.sin(angles), tf.cos(angles), tf.div(tf.log1p(at), LOG_SCALE)];
  return {
    time: safeUnit(linear(tf.concat([...clock, hidden], -1), memory.time.weight)),
    topic: safeUnit(linear(tf.concat([centroid, hidden], -1), memory.topic.weight, memory.topic.bias)),
    ctx: safeUnit(linear(tf.concat([hidden, summary], -1), memory.ctx.weight)),
  };
}

/** Directions that queries ask for: unit vectors, `[..., dTime | dTopic | dCtx]`. */
export function queryDirections(
  { query, timeAxis }: HeadParameters,
  { centroid, hidden, summary }: HeadInputs,
): PerBundle<tf.Tensor> {
  return {
    time: safeUnit(tf.add(linear(hidden, query.time.weight), timeAxis)),
    topic: safeUnit(linear(tf.concat([centroid, hidden], -1), query.topic.weight, query.topic.bias)),
    ctx: safeUnit(linear(tf.concat([hidden, summary], -1), query.ctx.weight)),
  };
}

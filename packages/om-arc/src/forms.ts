import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import type { Place } from './dropout.js';
import { sliceLayers, splitLayers } from './layer-stack.js';
import type { OmParams } from './parameters.js';
import { isCausal } from './plan.js';
import { recomputed } from './recomputation.js';
import { runSegment, runSegmentApart } from './segment.js';
import type { Setup } from './setup.js';

/** How the layers and segments of a call follow each other; all forms give the same numbers (DERIVATION.md, "Wavefront"). */
export type Form = 'sequential' | 'wavefront';

export interface SegmentsOptions {
  /** Default: whichever is faster for the shapes at hand. */
  readonly form?: Form;
  /** Keep only what enters each step of the wavefront and compute its inside again for the gradient. Default false */
  readonly recompute?: boolean;
  /** No gradient flows into the states from beyond so many segments. Default 0: from all */
  readonly truncateEvery?: number;
}

export interface SegmentsResult {
  /** Output of the last layer, `[batch, tokens, d·m]`. */
  readonly output: tf.Tensor;
  /** State of every layer after the last segment, `[batch, S, d]` each. */
  readonly states: readonly tf.Tensor[];
}

/** Rows that a layer works on at once up to which side by side is faster than one after another. */
const MOST_ROWS = 64;

/** Which form is faster: products of few rows leave the processor idle, and side by side there are fewer, larger steps. */
export function chooseForm(config: OmConfig, batch: number, segments: number): Form {
  if (config.finalMlpMultiplier !== 1 || config.numLayers < 2 || segments < 2) return 'sequential';
  const rows = batch * (config.segmentLen + 2 * config.stateLen);
  return rows <= MOST_ROWS ? 'wavefront' : 'sequential';
}

/**
 * A text through all layers, segment by segment; the last segment may be shorter.
 * @param x embeddings, `[batch, tokens, d]`
 * @param states before the first segment, `[batch, S, d]` per layer
 */
export function runSegments(
  setup: Setup,
  params: OmParams,
  x: tf.Tensor,
  states: readonly tf.Tensor[],
  options: SegmentsOptions = {},
): SegmentsResult {
  const { config } = setup;
  const [batch, tokens, d] = x.shape as [number, number, number];
  const N = config.segmentLen;
  const whole = Math.floor(tokens / N);
  const form = options.form ?? chooseForm(config, batch, whole);
  const segment = (index: number) => {
    const count = Math.min(N, tokens - index * N);
    return tf.reshape(tf.slice(x, [0, index * N, 0], [batch, count, d]), [1, batch, count, d]);
  };
  const isWave = form === 'wavefront' && config.finalMlpMultiplier === 1;
  const run = isWave ? runWavefront : runSequentially;
  const start = states.map((state) => tf.expandDims(state, 0));
  const segments = Array.from({ length: Math.ceil(tokens / N) }, (_, index) => segment(index));
  const first = run(setup, params, isWave ? segments.slice(0, whole) : segments, start, options, 0);
  const rest =
    isWave && whole < segments.length
      ? runSequentially(setup, params, segments.slice(whole), first.states, options, whole)
      : { outputs: [], states: first.states };
  const outputs = [...first.outputs, ...rest.outputs].map((piece) => tf.squeeze(piece, [0]));
  return {
    output: outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 1),
    states: rest.states.map((state) => tf.squeeze(state, [0])),
  };
}

interface Run {
  /** `[1, batch, tokens, d]` per segment. */
  readonly outputs: readonly tf.Tensor[];
  /** `[1, batch, S, d]` per layer. */
  readonly states: readonly tf.Tensor[];
}

type Runner = (
  setup: Setup,
  params: OmParams,
  segments: readonly tf.Tensor[],
  states: readonly tf.Tensor[],
  options: SegmentsOptions,
  firstSegment: number,
) => Run;

/** Whether the states that enter a segment are cut off the tape. */
const isCut = ({ truncateEvery = 0 }: SegmentsOptions, segment: number) =>
  truncateEvery > 0 && segment > 0 && segment % truncateEvery === 0;

/** One layer of one segment after the other. */
const runSequentially: Runner = (setup, params, segments, start, options, firstSegment) => {
  const layers = splitLayers(params);
  let states = [...start];
  const outputs = segments.map((segment, index) => {
    // The last state may not be wanted, and then costs nothing when its rows stand apart.
    const step = index === segments.length - 1 && isCausal(setup.config) ? runSegmentApart : runSegment;
    let x = segment;
    if (isCut(options, index)) states = states.map((state) => stopGradient(state));
    states = layers.map((layer, number) => {
      const places: Place[] = [{ layer: number, segment: firstSegment + index }];
      const result = step(setup, { ...layer, places }, x, states[number]!);
      x = result.x;
      return result.state;
    });
    return x;
  });
  return { outputs, states };
};

/**
 * Layer l on segment s needs layer l − 1 on s and its own state after s − 1, so that all with the same l + s are computed side
 * by side: segments + L − 1 steps in place of segments · L.
 */
const runWavefront: Runner = (setup, params, segments, start, options, firstSegment) => {
  const L = start.length;
  const states = [...start];
  /** What enters each layer in the next step. */
  const entering: (tf.Tensor | undefined)[] = new Array<undefined>(L).fill(undefined);
  const outputs: tf.Tensor[] = [];
  for (let step = 0; step < segments.length + L - 1; step++) {
    const low = Math.max(0, step - segments.length + 1);
    const high = Math.min(L - 1, step);
    const count = high - low + 1;
    if (step < segments.length) entering[0] = segments[step]!;
    const layers = sliceLayers(params, low, count);
    const places = Array.from({ length: count }, (_, i) => ({
      layer: low + i,
      segment: firstSegment + step - low - i,
    }));
    for (const { layer, segment } of places) {
      if (isCut(options, segment - firstSegment)) states[layer] = stopGradient(states[layer]!);
    }
    const x = tf.concat(entering.slice(low, high + 1) as tf.Tensor[], 0);
    const state = tf.concat(states.slice(low, high + 1), 0);
    const result = options.recompute
      ? recomputed(
          (stack, rows, memory) => runSegment(setup, { ...stack, places }, rows, memory),
          layers,
          x,
          state,
        )
      : runSegment(setup, { ...layers, places }, x, state);
    const [after, left] = [tf.split(result.x, count, 0), tf.split(result.state, count, 0)];
    for (let i = 0; i < count; i++) {
      const layer = low + i;
      states[layer] = left[i]!;
      if (layer === L - 1) outputs.push(after[i]!);
      else entering[layer + 1] = after[i]!;
    }
  }
  return { outputs, states };
};

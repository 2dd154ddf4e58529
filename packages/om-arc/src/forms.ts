import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import type { Place } from './dropout.js';
import { type LayerStack, sliceLayers, splitLayers } from './layer-stack.js';
import type { OmParams } from './parameters.js';
import { layerNumbers, tableLength } from './plan.js';
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
  /**
   * Only the output of the last segment is wanted, and the states. Where the last layer then has nothing to do but write its
   * state, a compiled function leaves the rest of it out. Default false
   */
  readonly onlyLast?: boolean;
  /** No gradient flows into the states from beyond so many segments. Default 0: from all */
  readonly truncateEvery?: number;
}

export interface SegmentsResult {
  /** Output of the last layer, `[batch, tokens, d·m]`; with `onlyLast`, that of the last segment. */
  readonly output: tf.Tensor;
  /** State of every layer after the last segment, `[batch, S, d]` each. */
  readonly states: readonly tf.Tensor[];
}

/** Rows of a layer, and numbers of all layers' matrices, up to which side by side was never slower (`bench/forms.mjs`). */
const [MOST_ROWS, MOST_NUMBERS] = [128, 500_000];

/**
 * Which form is faster: products of few rows leave the processor idle, and side by side there are fewer, larger steps; but the
 * first and the last of them copy the weights of the layers at work, which pays while these stay near the processor.
 */
export function chooseForm(config: OmConfig, batch: number, segments: number): Form {
  if (config.finalMlpMultiplier !== 1 || config.numLayers < 2 || segments < 2) return 'sequential';
  const rows = batch * tableLength(config);
  const isSmall = rows <= MOST_ROWS && config.numLayers * layerNumbers(config) <= MOST_NUMBERS;
  return isSmall ? 'wavefront' : 'sequential';
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
  const outputs = [...first.outputs, ...rest.outputs]
    .slice(options.onlyLast ? -1 : 0)
    .map((piece) => tf.squeeze(piece, [0]));
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
    const isLast = index === segments.length - 1;
    let x = segment;
    if (isCut(options, index)) states = states.map((state) => stopGradient(state));
    states = layers.map((layer, number) => {
      const places: Place[] = [{ layer: number, segment: firstSegment + index }];
      // What stands apart costs nothing when it is not wanted: the last state, the last layer's output.
      const isUnread = options.onlyLast === true && number === layers.length - 1;
      const step = isLast || isUnread ? runSegmentApart : runSegment;
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
 * by side: segments + L − 1 steps in place of segments · L. What a step leaves goes into the next one as it lies, one layer up.
 */
const runWavefront: Runner = (setup, params, segments, start, options, firstSegment) => {
  const L = start.length;
  const last = segments.length - 1;
  const outputs: tf.Tensor[] = [];
  const left: tf.Tensor[] = [];
  let x: tf.Tensor | undefined;
  let state: tf.Tensor | undefined;
  for (let step = 0; step <= last + L - 1; step++) {
    const low = Math.max(0, step - last);
    const high = Math.min(L - 1, step);
    const count = high - low + 1;
    x = joined(step <= last ? segments[step] : undefined, x);
    state = joined(state, step < L ? start[step] : undefined)!;
    const places = Array.from({ length: count }, (_, i) => ({
      layer: low + i,
      segment: firstSegment + step - low - i,
    }));
    const memory = cutStates(
      state,
      places.map(({ segment }) => isCut(options, segment - firstSegment)),
    );
    const layers = sliceLayers(params, low, count);
    const run = (stack: LayerStack, rows: tf.Tensor, states: tf.Tensor) =>
      runSegment(setup, { ...stack, places }, rows, states);
    const result = options.recompute ? recomputed(run, layers, x!, memory) : run(layers, x!, memory);
    ({ x, state } = result);
    if (high === L - 1) {
      const [through, output] = apart(x, count - 1);
      x = through;
      outputs.push(output!);
    }
    if (step >= last) {
      const [done, open] = apart(state, 1);
      left.push(done!);
      state = open;
    }
  }
  return { outputs, states: left };
};

/** Two stacks of layers as one. */
function joined(first: tf.Tensor | undefined, second: tf.Tensor | undefined): tf.Tensor | undefined {
  return first && second ? tf.concat([first, second], 0) : (first ?? second);
}

/** The first `count` layers of a stack, and the others; absent where there are none. */
function apart(stack: tf.Tensor, count: number): (tf.Tensor | undefined)[] {
  const others = stack.shape[0]! - count;
  if (count === 0) return [undefined, stack];
  return others === 0 ? [stack, undefined] : tf.split(stack, [count, others], 0);
}

/** A stack of states, of which some are cut off the tape. */
function cutStates(state: tf.Tensor, cut: readonly boolean[]): tf.Tensor {
  if (!cut.includes(true)) return state;
  const constant = stopGradient(state);
  if (!cut.includes(false)) return constant;
  // The difference is 0 and carries the gradient of those that are not cut.
  const kept = tf.tensor4d(
    cut.map((isOff) => (isOff ? 0 : 1)),
    [cut.length, 1, 1, 1],
  );
  return tf.add(constant, tf.mul(kept, tf.sub(state, constant)));
}

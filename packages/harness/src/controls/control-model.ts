import type { JsonObject, SequenceModel } from '@palimpsest/lm';
import {
  embedding,
  full,
  InputError,
  linear,
  type NDArray,
  type Rng,
  rmsNorm,
  swiGlu,
  tf,
} from '@palimpsest/tensor-core';
import { causalConvolution } from './causal-convolution.js';
import { linearAttention } from './linear-attention.js';

/** Options of the control models. */
export interface ControlOptions {
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Taps of the causal convolution before the mixer; 1 sees the present token alone. */
  readonly taps: number;
  /** `linear`: linear attention over everything; `none`: nothing but the convolution. */
  readonly mixer: 'linear' | 'none';
  /** What a head forgets per token: nothing, or at speeds spread from 1 / 256 to 1 / 4. */
  readonly forgetting: 'none' | 'spread';
}

interface BlockParams {
  readonly mixerNorm: tf.Tensor;
  readonly kernel: tf.Tensor;
  /** [3 width, width]: queries, keys, values; of a mixer that reads nothing, [width, width]. */
  readonly input: tf.Tensor;
  readonly output: tf.Tensor;
  readonly mlpNorm: tf.Tensor;
  readonly up: tf.Tensor;
  readonly down: tf.Tensor;
}

interface ControlParams {
  readonly tokenEmbedding: tf.Tensor;
  readonly blocks: readonly BlockParams[];
  readonly norm: tf.Tensor;
}

interface BlockState {
  /** The last inputs of the convolution, [batch, taps - 1, width]. */
  readonly recent?: tf.Tensor | undefined;
  /** Sums of linear attention, [batch, heads, width / heads, width / heads + 1]. */
  readonly sums?: tf.Tensor | undefined;
}

type ControlState = readonly BlockState[];

const MLP_RATIO = 8 / 3;

/**
 * The two plainest models with a state of fixed size, against which mechanisms are compared: blocks of a short causal
 * convolution, linear attention or nothing, and a gated MLP, all pre-norm.
 * @throws InputError when the heads do not divide the width.
 */
export function createControlModel(options: ControlOptions): SequenceModel<ControlParams, ControlState> {
  const { vocabSize, width, heads, taps, mixer } = options;
  if (width % heads !== 0) {
    throw new InputError(
      `A width of ${width} cannot be split over ${heads} heads; choose a divisor of ${width}.`,
    );
  }
  const decays = decaysOf(options);
  return {
    name: mixer === 'linear' ? 'linear-attention' : 'no-memory',
    config: options as unknown as JsonObject,
    vocabSize,
    init: (rng) => initParams(options, rng) as never,
    initState: (_params, batch) =>
      Array.from({ length: options.layers }, () => ({
        recent: taps > 1 ? tf.zeros([batch, taps - 1, width]) : undefined,
        sums: mixer === 'linear' ? tf.zeros([batch, heads, width / heads, width / heads + 1]) : undefined,
      })),
    forward: (params, tokens, state) => {
      let x = embedding(params.tokenEmbedding, tokens);
      const next = params.blocks.map((block, layer) => {
        const [y, after] = blockForward(options, decays, block, x, state[layer]!);
        x = y;
        return after;
      });
      return {
        logits: linear(rmsNorm(x, params.norm), params.tokenEmbedding) as tf.Tensor3D,
        state: next,
      };
    },
    step(params, token, state) {
      const [batch] = token.shape;
      const tokens = tf.reshape(token, [batch, 1]) as tf.Tensor2D;
      const { logits, state: next } = this.forward(params, tokens, state, { training: false });
      return { logits: tf.reshape(logits, [batch, vocabSize]) as tf.Tensor2D, state: next };
    },
    parameterGroups: () => [{ match: /(orm|kernel|tokenEmbedding)$/, decays: false }],
  };
}

function blockForward(
  { heads, mixer }: ControlOptions,
  decays: readonly number[],
  block: BlockParams,
  x: tf.Tensor,
  state: BlockState,
): [tf.Tensor, BlockState] {
  const [batch, time, width] = x.shape as [number, number, number];
  const normed = rmsNorm(x, block.mixerNorm);
  const [seen, recent] = state.recent
    ? causalConvolution(normed, block.kernel, state.recent)
    : [normed, undefined];
  const projected = linear(seen, block.input);
  let [mixed, sums]: [tf.Tensor, tf.Tensor | undefined] = [projected, undefined];
  if (mixer === 'linear') {
    const byHead = (part: tf.Tensor) =>
      tf.transpose(tf.reshape(part, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
    const [q, k, v] = tf.split(projected, 3, -1).map(byHead) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [read, after] = linearAttention(q, k, v, state.sums!, decays);
    mixed = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [batch, time, width]);
    sums = after;
  }
  const attended = tf.add(x, linear(mixed, block.output));
  const [gate, value] = tf.split(linear(rmsNorm(attended, block.mlpNorm), block.up), 2, -1) as [
    tf.Tensor,
    tf.Tensor,
  ];
  return [tf.add(attended, linear(swiGlu(gate, value), block.down)), { recent, sums }];
}

function decaysOf({ heads, forgetting }: ControlOptions): number[] {
  if (forgetting === 'none') return new Array<number>(heads).fill(1);
  return Array.from({ length: heads }, (_, head) =>
    head === 0 ? 1 : 1 - 1 / (256 * (1 / 64) ** ((head - 1) / Math.max(1, heads - 2))),
  );
}

function initParams({ vocabSize, width, layers, taps, mixer }: ControlOptions, rng: Rng) {
  const hidden = Math.ceil((MLP_RATIO * width) / 8) * 8;
  const start = 1 / Math.sqrt(width);
  const residual = start / Math.sqrt(2 * layers);
  const matrix = (out: number, into: number, deviation = start): NDArray =>
    rng.normalArray([out, into], 0, deviation);
  const kernel = (): NDArray => rng.uniformArray([taps, width], -1 / Math.sqrt(taps), 1 / Math.sqrt(taps));
  return {
    tokenEmbedding: matrix(vocabSize, width),
    blocks: Array.from({ length: layers }, () => ({
      mixerNorm: full([width], 1),
      kernel: kernel(),
      input: matrix(mixer === 'linear' ? 3 * width : width, width),
      output: matrix(width, width, residual),
      mlpNorm: full([width], 1),
      up: matrix(2 * hidden, width),
      down: matrix(width, hidden, residual),
    })),
    norm: full([width], 1),
  };
}

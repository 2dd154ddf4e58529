import { full, linear, rmsNorm, silu, tf } from '@palimpsest/tensor-core';
import { causalConvolution, noTokens } from '../causal-convolution.js';
import { chunkedAttention } from '../chunked-attention.js';
import { headDecay } from '../decays.js';
import {
  deviations,
  freshKernel,
  headWidth,
  type Mixer,
  mergeHeads,
  type Stack,
  splitHeads,
} from './mixer.js';
import { freshStepSizes } from './step-sizes.js';

export interface StateSpaceOptions {
  readonly heads: number;
  /** Taps of the causal convolution behind the projections. */
  readonly taps: number;
  /** Rows of a head's state: the width of the vectors B and C, which all heads share. */
  readonly stateSize: number;
}

/**
 * The selective state space of Mamba-2 (Dao & Gu 2024, eq. 1 and section 7): S_t = exp(-Δ_t A) S_{t-1} + B_t (Δ_t x_t)ᵀ and
 * y_t = C_t S_t + D x_t, with one decay per head and token, Δ_t = softplus(W x_t + b); x, B and C behind a convolution and
 * silu, y · silu(z) normalised. In the dual form it is attention with scores C_t · B_s that fade.
 * @throws InputError when the heads do not divide the width.
 */
export function stateSpaceMixer(stack: Stack, { heads, taps, stateSize }: StateSpaceOptions): Mixer {
  const { width } = stack;
  const head = headWidth(width, heads);
  const { start, residual } = deviations(stack);
  const convolved = width + 2 * stateSize;
  return {
    init: (rng) => ({
      input: rng.normalArray([width + convolved + heads, width], 0, start),
      kernel: freshKernel(rng, taps, convolved),
      ...freshStepSizes(rng, heads),
      skip: full([heads], 1),
      norm: full([width], 1),
      output: rng.normalArray([width, width], 0, residual),
    }),
    start: (batch) => ({
      ...noTokens(batch, taps, convolved),
      sums: tf.zeros([batch, heads, stateSize, head]),
    }),
    mix(params, x, state) {
      const sizes = [width, convolved, heads];
      const [gate, before, given] = tf.split(linear(x, params.input!), sizes, -1) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const [seen, recent] = causalConvolution(before, params.kernel!, state);
      const [inputs, writes, reads] = tf.split(silu(seen), [width, stateSize, stateSize], -1) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const steps = tf.transpose(tf.softplus(tf.add(given, params.stepBias!)), [0, 2, 1]);
      const step = tf.expandDims(steps, 3);
      const rate = tf.reshape(tf.exp(params.logRate!), [1, heads, 1, 1]);
      const own = splitHeads(inputs, heads);
      const shared = (part: tf.Tensor) => tf.expandDims(part, 1);
      const [read, sums] = chunkedAttention(
        shared(reads),
        shared(writes),
        tf.mul(own, step),
        state.sums!,
        headDecay(tf.neg(tf.mul(step, rate))),
      );
      const skipped = tf.add(read, tf.mul(own, tf.reshape(params.skip!, [1, heads, 1, 1])));
      const mixed = rmsNorm(tf.mul(mergeHeads(skipped), silu(gate)), params.norm!);
      return [linear(mixed, params.output!), { ...recent, sums }];
    },
  };
}

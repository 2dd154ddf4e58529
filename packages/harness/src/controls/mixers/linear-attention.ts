import { linear, tf } from '@palimpsest/tensor-core';
import { causalConvolution, noTokens } from '../causal-convolution.js';
import { chunkedAttention } from '../chunked-attention.js';
import { fixedDecay } from '../decays.js';
import { hostLinearAttention } from '../host/attention.js';
import {
  deviations,
  freshKernel,
  headWidth,
  type Mixer,
  mergeHeads,
  type Stack,
  splitHeads,
} from './mixer.js';

export interface LinearAttentionOptions {
  readonly heads: number;
  /** Taps of the causal convolution before the projections; 1 sees the present token alone. */
  readonly taps: number;
  /** What a head forgets per token: nothing, or at speeds spread from 1 / 256 to 1 / 4. */
  readonly forgetting: 'none' | 'spread';
}

const EPSILON = 1e-6;

/** Feature map of Katharopoulos et al. 2020: elu(x) + 1, which is positive. */
const featureMap = (x: tf.Tensor) => tf.add(tf.elu(x), 1);

/**
 * Linear attention (Katharopoulos et al. 2020), o_t = φ(q_t) S_t / φ(q_t) z_t with S_t = γ S_{t-1} + φ(k_t) v_tᵀ and
 * z_t = γ z_{t-1} + φ(k_t), behind a short convolution. The normaliser z is the last column of the sums, as if every value
 * ended in a one.
 * @throws InputError when the heads do not divide the width.
 */
export function linearAttentionMixer(
  stack: Stack,
  { heads, taps, forgetting }: LinearAttentionOptions,
): Mixer {
  const { width } = stack;
  const head = headWidth(width, heads);
  const { start, residual } = deviations(stack);
  const decays = Array.from({ length: heads }, (_, index) => decayOf(forgetting, index, heads));
  const decay = fixedDecay(decays);
  return {
    init: (rng) => ({
      kernel: freshKernel(rng, taps, width),
      input: rng.normalArray([3 * width, width], 0, start),
      output: rng.normalArray([width, width], 0, residual),
    }),
    start: (batch) => ({ ...noTokens(batch, taps, width), sums: tf.zeros([batch, heads, head, head + 1]) }),
    host: head % 4 === 0 ? hostLinearAttention({ width, decays, epsilon: EPSILON }) : undefined,
    mix(params, x, state) {
      const [seen, recent] = causalConvolution(x, params.kernel!, state);
      const [q, k, v] = tf
        .split(linear(seen, params.input!), 3, -1)
        .map((part) => splitHeads(part, heads)) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const counted = tf.concat([v, tf.ones([...v.shape.slice(0, 3), 1])], 3);
      const [read, sums] = chunkedAttention(featureMap(q), featureMap(k), counted, state.sums!, decay);
      const [numerator, denominator] = tf.split(read, [head, 1], 3) as [tf.Tensor, tf.Tensor];
      const mixed = mergeHeads(tf.div(numerator, tf.add(denominator, EPSILON)));
      return [linear(mixed, params.output!), { ...recent, sums }];
    },
  };
}

function decayOf(forgetting: LinearAttentionOptions['forgetting'], head: number, heads: number): number {
  if (forgetting === 'none' || head === 0) return 1;
  return 1 - 1 / (256 * (1 / 64) ** ((head - 1) / Math.max(1, heads - 2)));
}

import { full, linear, rmsNorm, silu, tf, zeros } from '@palimpsest/tensor-core';
import { causalConvolution, noTokens } from '../causal-convolution.js';
import { chunkedAttention } from '../chunked-attention.js';
import { channelDecay, fixedDecay, LEAST_LOGARITHM } from '../decays.js';
import {
  deviations,
  freshKernel,
  headWidth,
  type Mixer,
  mergeHeads,
  type Stack,
  splitHeads,
} from './mixer.js';

export interface GatedLinearAttentionOptions {
  readonly heads: number;
  /** Taps of the causal convolution before the projections. */
  readonly taps: number;
  /** `learned`: per channel of the keys, from the token (GLA); `fixed`: one per head, from 1 / 32 to 1 / 512 (RetNet). */
  readonly decay: 'learned' | 'fixed';
}

/** Rank of the map from a token to its decays. */
const GATE_RANK = 16;
/** Decays are the 16th root of a sigmoid, so that a fresh model remembers for some tens of tokens. */
const GATE_ROOT = 16;

/**
 * Gated linear attention (Yang et al. 2024, eq. 3 to 8): o_t = q_t S_t / √width with S_t = α_t ⊙ S_{t-1} + k_t v_tᵀ, every
 * channel of the keys with a decay α_t = σ(W x_t + b)^(1/16) of its own; what a head read is normalised and gated by silu.
 * With fixed decays it is the retention of RetNet (Sun et al. 2023) without its rotation.
 * @throws InputError when the heads do not divide the width.
 */
export function gatedLinearAttentionMixer(
  stack: Stack,
  { heads, taps, decay }: GatedLinearAttentionOptions,
): Mixer {
  const { width } = stack;
  const head = headWidth(width, heads);
  const { start, residual } = deviations(stack);
  const retained = fixedDecay(retentions(heads));
  const learned = (x: tf.Tensor, params: Parameters<Mixer['mix']>[0]) => {
    const gates = linear(linear(x, params.decayDown!), params.decayUp!, params.decayBias!);
    // log σ(g) = -softplus(-g)
    const logarithms = tf.mul(tf.softplus(tf.neg(gates)), -1 / GATE_ROOT);
    return channelDecay(splitHeads(tf.maximum(logarithms, LEAST_LOGARITHM), heads));
  };
  return {
    init: (rng) => ({
      kernel: freshKernel(rng, taps, width),
      input: rng.normalArray([4 * width, width], 0, start),
      output: rng.normalArray([width, width], 0, residual),
      norm: full([head], 1),
      ...(decay === 'learned' && {
        decayDown: rng.normalArray([GATE_RANK, width], 0, start),
        decayUp: rng.normalArray([width, GATE_RANK], 0, 1 / Math.sqrt(GATE_RANK)),
        decayBias: zeros([width]),
      }),
    }),
    start: (batch) => ({ ...noTokens(batch, taps, width), sums: tf.zeros([batch, heads, head, head]) }),
    mix(params, x, state) {
      const [seen, recent] = causalConvolution(x, params.kernel!, state);
      const [q, k, v, gate] = tf.split(linear(seen, params.input!), 4, -1) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const [read, sums] = chunkedAttention(
        splitHeads(tf.mul(q, 1 / Math.sqrt(head)), heads),
        splitHeads(k, heads),
        splitHeads(v, heads),
        state.sums!,
        decay === 'learned' ? learned(seen, params) : retained,
      );
      const mixed = tf.mul(mergeHeads(rmsNorm(read, params.norm!)), silu(gate));
      return [linear(mixed, params.output!), { ...recent, sums }];
    },
  };
}

/** γ of RetNet's heads: 1 less a number from 1 / 32 to 1 / 512, spaced evenly by its logarithm. */
function retentions(heads: number): number[] {
  return Array.from({ length: heads }, (_, index) => 1 - 2 ** (-5 - (4 * index) / Math.max(1, heads - 1)));
}

import { full, linear, rmsNorm, silu, tf } from '@palimpsest/tensor-core';
import { causalConvolution, noTokens } from '../causal-convolution.js';
import { gatedDeltaRule } from '../gated-delta-rule.js';
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

export interface GatedDeltaNetOptions {
  readonly heads: number;
  /** Taps of the causal convolution behind the projections. */
  readonly taps: number;
}

const LENGTH_EPSILON = 1e-6;
/**
 * Gated DeltaNet (Yang, Kautz & Hatamizadeh 2025): the gated delta rule with queries and keys of length 1, all three
 * projections behind a convolution and silu, α_t = exp(-a softplus(W x_t + b)) and β_t = σ(V x_t) per head; what a head read
 * is normalised and gated by silu.
 * @throws InputError when the heads do not divide the width.
 */
export function gatedDeltaNetMixer(stack: Stack, { heads, taps }: GatedDeltaNetOptions): Mixer {
  const { width } = stack;
  const head = headWidth(width, heads);
  const { start, residual } = deviations(stack);
  const unit = (x: tf.Tensor) =>
    tf.mul(rmsNorm(splitHeads(x, heads), undefined, LENGTH_EPSILON / head), 1 / Math.sqrt(head));
  const perHead = (x: tf.Tensor) => tf.expandDims(tf.transpose(x, [0, 2, 1]), 3);
  return {
    init: (rng) => ({
      input: rng.normalArray([4 * width + 2 * heads, width], 0, start),
      kernel: freshKernel(rng, taps, 3 * width),
      ...freshStepSizes(rng, heads),
      norm: full([head], 1),
      output: rng.normalArray([width, width], 0, residual),
    }),
    start: (batch) => ({ ...noTokens(batch, taps, 3 * width), sums: tf.zeros([batch, heads, head, head]) }),
    mix(params, x, state) {
      const [before, gate, steps, rates] = tf.split(
        linear(x, params.input!),
        [3 * width, width, heads, heads],
        -1,
      ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const [seen, recent] = causalConvolution(before, params.kernel!, state);
      const [q, k, v] = tf.split(silu(seen), 3, -1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const logDecay = tf.neg(tf.mul(tf.softplus(tf.add(steps, params.stepBias!)), tf.exp(params.logRate!)));
      const [read, sums] = gatedDeltaRule(
        {
          query: tf.mul(unit(q), 1 / Math.sqrt(head)),
          key: unit(k),
          value: splitHeads(v, heads),
          rate: perHead(tf.sigmoid(rates)),
          logDecay: perHead(logDecay),
        },
        state.sums!,
      );
      const mixed = tf.mul(mergeHeads(rmsNorm(read, params.norm!)), silu(gate));
      return [linear(mixed, params.output!), { ...recent, sums }];
    },
  };
}

import { linear } from '@palimpsest/tensor-core';
import { causalConvolution, noTokens } from '../causal-convolution.js';
import { hostNoMemory } from '../host/attention.js';
import { deviations, freshKernel, type Mixer, type Stack } from './mixer.js';

/** Nothing but the convolution: a block that sees the last few tokens. */
export function noMemoryMixer(stack: Stack, { taps }: { readonly taps: number }): Mixer {
  const { width } = stack;
  const { start, residual } = deviations(stack);
  return {
    init: (rng) => ({
      kernel: freshKernel(rng, taps, width),
      input: rng.normalArray([width, width], 0, start),
      output: rng.normalArray([width, width], 0, residual),
    }),
    start: (batch) => noTokens(batch, taps, width),
    host: hostNoMemory(width),
    mix(params, x, state) {
      const [seen, recent] = causalConvolution(x, params.kernel!, state);
      return [linear(linear(seen, params.input!), params.output!), recent];
    },
  };
}

import type { NDArray, Place } from '@palimpsest/base';
import type { HostState, HostWeights } from './host-mixer.js';

/** Causal depthwise convolution of one token, as `causalConvolution`; its last inputs are the state's `recent`. */
export function hostConvolution(weights: HostWeights, kernel: NDArray) {
  const { kernels } = weights;
  const [taps, width] = kernel.shape as [number, number];
  const seen = kernels.allocate(width);
  const tapsAt = weights.vector(kernel);
  return {
    open(state: HostState) {
      const recent = taps > 1 ? state('recent') : 0;
      const last = recent + (taps - 2) * width;
      /** @returns where the convolved token lies */
      return (x: Place): Place => {
        const { numbers } = kernels;
        for (let i = 0; i < width; i++) {
          let sum = numbers[tapsAt + i]! * numbers[x + i]!;
          for (let tap = 1; tap < taps; tap++) {
            sum += numbers[tapsAt + tap * width + i]! * numbers[last - (tap - 1) * width + i]!;
          }
          numbers[seen + i] = sum;
        }
        if (taps > 1) {
          numbers.copyWithin(recent, recent + width, last + width);
          numbers.copyWithin(last, x, x + width);
        }
        return seen;
      };
    },
  };
}

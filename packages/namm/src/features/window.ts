import { InputError } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';

/**
 * Weights of the samples under one window, in float64.
 *
 * `hann` is periodic: 0.5 - 0.5 cos(2πm / N). `average` is 1 / N. `{ema: c}` decays towards the past,
 * c^(N-1-m) (1-c) / (1-c^s), and is meant for hops s as long as the window.
 * @param length samples N
 * @param hopLength samples s between two windows
 */
export function windowWeights(window: NAMMConfig['window'], length: number, hopLength: number): Float64Array {
  const samples = Float64Array.from({ length }, (_, m) => m);
  if (window === 'hann') return samples.map((m) => 0.5 - 0.5 * Math.cos((2 * Math.PI * m) / length));
  if (window === 'average') return samples.fill(1 / length);
  if (window === 'rectangular') return samples.fill(1);
  if ('ema' in window) {
    const { ema } = window;
    return samples.map((m) => (ema ** (length - 1 - m) * (1 - ema)) / (1 - ema ** hopLength));
  }
  if (window.length !== length) {
    throw new InputError(`A given window has ${length} weights, but ${window.length} were given.`);
  }
  return Float64Array.from(window);
}

import { hostConvolution } from './convolution.js';
import type { MakeHostMixer } from './host-mixer.js';

interface Shape {
  readonly width: number;
  /** What is left of a head's sums after a token. */
  readonly decays: readonly number[];
  /** Added to the normaliser. */
  readonly epsilon: number;
}

/** Linear attention, as `linearAttentionMixer` has it: values end in a one, whose sum is the normaliser. */
export const hostLinearAttention =
  ({ width, decays, epsilon }: Shape): MakeHostMixer =>
  (weights, params) => {
    const { kernels } = weights;
    const head = width / decays.length;
    const convolution = hostConvolution(weights, params.kernel!);
    const [input, output] = [weights.matrix(params.input!), weights.matrix(params.output!)];
    const [packed, joined] = [kernels.allocate(3 * width), kernels.allocate(width)];
    const [counted, read] = [kernels.allocate(head + 1), kernels.allocate(head + 1)];
    return {
      open(state) {
        const convolve = convolution.open(state);
        const sums = state('sums');
        return (y, x) => {
          weights.multiply(packed, input, convolve(x));
          kernels.memories.positive(packed, 2 * width);
          const { numbers } = kernels;
          decays.forEach((decay, index) => {
            const [query, key, value] = [0, 1, 2].map((part) => packed + part * width + index * head) as [
              number,
              number,
              number,
            ];
            const own = sums + index * head * (head + 1);
            numbers.copyWithin(counted, value, value + head);
            numbers[counted + head] = 1;
            kernels.memories.remember(own, key, counted, head, head + 1, decay);
            numbers.fill(0, read, read + head + 1);
            kernels.memories.recall(read, own, query, head, head + 1);
            const norm = numbers[read + head]! + epsilon;
            for (let i = 0; i < head; i++) numbers[joined + index * head + i] = numbers[read + i]! / norm;
          });
          weights.multiply(y, output, joined);
        };
      },
    };
  };

/** Nothing but a convolution, as `noMemoryMixer` has it. */
export const hostNoMemory =
  (width: number): MakeHostMixer =>
  (weights, params) => {
    const convolution = hostConvolution(weights, params.kernel!);
    const [input, output] = [weights.matrix(params.input!), weights.matrix(params.output!)];
    const between = weights.kernels.allocate(width);
    return {
      open(state) {
        const convolve = convolution.open(state);
        return (y, x) => {
          weights.multiply(between, input, convolve(x));
          weights.multiply(y, output, between);
        };
      },
    };
  };

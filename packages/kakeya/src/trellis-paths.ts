import { KERNEL_START, kernelNumbers, matrixKernels } from './matrix-kernel.js';

/** What the search for the cheapest paths through a trellis works on, for one vector. */
export interface PathSpace {
  /** Weighted error of every code of two bits, [components, 4]; to be filled in. */
  readonly errors: Float64Array;
  /** Finds the cheapest path into every state. */
  run(): Paths;
}

export interface Paths {
  /** Cost of the cheapest path into every state. */
  readonly costs: Float64Array;
  /**
   * Which predecessor won, [components, states / 4]: of states t and t + 1 in the lowest two bits, then of those half of all
   * states above them.
   */
  readonly from: Uint8Array;
}

/**
 * Room for the paths of one vector, valid until the kernels are used for something else.
 * @param codes code bits of the registers 2 t, for the first half of the states
 */
export function pathSpace(components: number, codes: Uint8Array): PathSpace {
  const kernels = matrixKernels();
  if (!kernels) return plainPathSpace(components, codes);
  const half = codes.length;
  const errorsAt = KERNEL_START;
  const costsAt = errorsAt + 4 * components;
  const tableAt = costsAt + 4 * half;
  const patternsAt = tableAt + 32;
  const fromAt = patternsAt + Math.ceil(half / 16);
  const numbers = kernelNumbers(kernels, fromAt + Math.ceil((components * half) / 16));
  const bytes = new Uint8Array(numbers.buffer);
  for (let pair = 0; pair < half / 2; pair++) {
    bytes[8 * patternsAt + pair] = 4 * codes[2 * pair]! + codes[2 * pair + 1]!;
  }
  numbers.fill(Infinity, costsAt, costsAt + 2 * half);
  numbers[costsAt] = 0;
  return {
    errors: numbers.subarray(errorsAt, costsAt),
    run: () => {
      const next = costsAt + 2 * half;
      const places = [costsAt, next, errorsAt, patternsAt, tableAt, fromAt].map((place) => 8 * place);
      kernels.extendPaths(components, half, ...(places as [number, number, number, number, number, number]));
      const last = components % 2 === 0 ? costsAt : next;
      return {
        costs: numbers.subarray(last, last + 2 * half),
        from: bytes.subarray(8 * fromAt, 8 * fromAt + (components * half) / 2),
      };
    },
  };
}

/** The same in plain loops, to the same numbers. */
export function plainPathSpace(components: number, codes: Uint8Array): PathSpace {
  const half = codes.length;
  const errors = new Float64Array(4 * components);
  const from = new Uint8Array((components * half) / 2);
  const run = () => {
    let costs = new Float64Array(2 * half).fill(Infinity);
    let next = new Float64Array(2 * half);
    costs[0] = 0;
    for (let i = 0; i < components; i++) {
      for (let low = 0; low < half; low++) {
        const same = errors[4 * i + codes[low]!]!;
        const opposite = errors[4 * i + 3 - codes[low]!]!;
        const [even, odd] = [costs[2 * low]!, costs[2 * low + 1]!];
        next[low] = Math.min(even + same, odd + opposite);
        next[half + low] = Math.min(even + opposite, odd + same);
        const won = (odd + opposite < even + same ? 1 : 0) | (odd + same < even + opposite ? 4 : 0);
        from[(i * half + low) >>> 1]! |= won << (low & 1);
      }
      [costs, next] = [next, costs];
    }
    return { costs, from };
  };
  return { errors, run };
}

import { KERNEL_START, type Kernels, kernelNumbers } from '../linalg/matrix-kernel.js';

/** What the search for the cheapest paths through a trellis works on, for one vector. */
export interface PathSpace {
  /**
   * Weighted error of every code of two bits, [components, 4]; to be filled in. Single precision: what it rounds away is less
   * than a millionth of the error of the whole vector, and eight states fit where four would.
   */
  readonly errors: Float32Array;
  /** Finds the cheapest path into every state. */
  run(): Paths;
}

export interface Paths {
  /** Cost of the cheapest path into every state. */
  readonly costs: Float32Array;
  /**
   * Which predecessor won, [components, states / 8]: of four neighbouring states in the lowest four bits, then of those half of
   * all states above them. With four states there are two of either.
   */
  readonly from: Uint8Array;
}

/** Places of one vector's search in the kernels' memory, in numbers of 8 bytes. */
export interface PathPlaces {
  readonly errors: number;
  readonly costs: number;
  readonly next: number;
  readonly lanes: number;
  readonly from: number;
  readonly end: number;
}

/** Fewest states whose halves fill a vector of the kernels. */
export const FEWEST_KERNEL_STATES = 8;

export function pathPlaces(start: number, components: number, half: number): PathPlaces {
  const costs = start + 2 * components;
  const next = costs + half;
  const lanes = next + half;
  const from = lanes + half / 2;
  return { errors: start, costs, next, lanes, from, end: from + Math.ceil((components * half) / 32) };
}

/** Writes the order in which four states at a time take the errors of their codes. */
export function writeLanes(bytes: Uint8Array, { lanes }: PathPlaces, codes: Uint8Array): void {
  for (let i = 0; i < 4 * codes.length; i++) bytes[8 * lanes + i] = 4 * codes[i >>> 2]! + (i & 3);
}

/** Runs the kernel; the place of the costs of all states. */
export function runKernel(
  kernels: Kernels,
  floats: Float32Array,
  { errors, costs, next, lanes, from }: PathPlaces,
  components: number,
  half: number,
): number {
  floats.fill(Infinity, 2 * costs, 2 * costs + 2 * half);
  floats[2 * costs] = 0;
  kernels.extendPaths(components, half, 8 * costs, 8 * next, 8 * errors, 8 * lanes, 8 * from);
  return components % 2 === 0 ? costs : next;
}

/**
 * Room for the paths of one vector, valid until the kernels are used for something else.
 * @param codes code bits of the registers 2 t, for the first half of the states
 */
export function pathSpace(kernels: Kernels, components: number, codes: Uint8Array): PathSpace {
  const half = codes.length;
  const places = pathPlaces(KERNEL_START, components, half);
  const numbers = kernelNumbers(kernels, places.end);
  const bytes = new Uint8Array(numbers.buffer);
  const floats = new Float32Array(numbers.buffer);
  writeLanes(bytes, places, codes);
  return {
    errors: floats.subarray(2 * places.errors, 2 * places.costs),
    run: () => {
      const last = runKernel(kernels, floats, places, components, half);
      return {
        costs: floats.subarray(2 * last, 2 * last + 2 * half),
        from: bytes.subarray(8 * places.from, 8 * places.from + (components * half) / 4),
      };
    },
  };
}

/** The same in plain loops, to the same numbers. */
export function plainPathSpace(components: number, codes: Uint8Array): PathSpace {
  const half = codes.length;
  const errors = new Float32Array(4 * components);
  const perComponent = Math.max(1, half / 4);
  const run = () => {
    const from = new Uint8Array(components * perComponent);
    let costs = new Float32Array(2 * half).fill(Infinity);
    let next = new Float32Array(2 * half);
    costs[0] = 0;
    for (let i = 0; i < components; i++) {
      for (let low = 0; low < half; low++) {
        const same = errors[4 * i + codes[low]!]!;
        const opposite = errors[4 * i + 3 - codes[low]!]!;
        const [even, odd] = [costs[2 * low]!, costs[2 * low + 1]!];
        const evenLow = Math.fround(even + same);
        const oddLow = Math.fround(odd + opposite);
        const evenHigh = Math.fround(even + opposite);
        const oddHigh = Math.fround(odd + same);
        next[low] = Math.min(evenLow, oddLow);
        next[half + low] = Math.min(evenHigh, oddHigh);
        const won = (oddLow < evenLow ? 1 : 0) | (oddHigh < evenHigh ? 16 : 0);
        from[i * perComponent + (low >>> 2)]! |= won << (low & 3);
      }
      [costs, next] = [next, costs];
    }
    return { costs, from };
  };
  return { errors, run };
}

import type { DecodingExports } from './decoding-exports.js';

/** Where numbers lie in the kernels' memory, as an index of its float32 view. */
export type Place = number;

/** The address of a place, or bytes of so many numbers. */
export const bytes = (place: Place): number => 4 * place;

/** Kernels of memories that gates rewrite, or that are sums of products of keys and values. Widths are multiples of 4. */
export class MemoryKernels {
  readonly #exports: DecodingExports;

  constructor(exports: DecodingExports) {
    this.#exports = exports;
  }

  /** sum += branch; y = gain sum / √(mean(sum²) + epsilon). */
  addRootNormalised(y: Place, sum: Place, branch: Place, gain: Place, width: number, epsilon: number): void {
    const [to, from, added, factor] = [bytes(y), bytes(sum), bytes(branch), bytes(gain)];
    this.#exports.addRootNormalised(to, from, added, factor, width, epsilon);
  }

  /** y = gate σ(gate) value. */
  swiGlu(y: Place, gate: Place, value: Place, count: number): void {
    this.#exports.swiGlu(bytes(y), bytes(gate), bytes(value), count);
  }

  /** elu(x) + 1 in place. */
  positive(x: Place, count: number): void {
    this.#exports.positive(bytes(x), count);
  }

  /** The state of a gated recurrent unit in place, from its maps of the input and of itself: [update, reset, candidate]. */
  gruState(h: Place, input: Place, state: Place, width: number): void {
    this.#exports.gruState(bytes(h), bytes(input), bytes(state), width);
  }

  /** State and cell of a long short-term memory in place, from its maps: [input, output, forget, candidate]. */
  lstmState(h: Place, cell: Place, input: Place, state: Place, width: number): void {
    this.#exports.lstmState(bytes(h), bytes(cell), bytes(input), bytes(state), width);
  }

  /** y += queryᵀ sums, `[keyWidth, valueWidth]`, of any widths. */
  recall(y: Place, sums: Place, query: Place, keyWidth: number, valueWidth: number): void {
    this.#exports.recall(bytes(y), bytes(sums), bytes(query), keyWidth, valueWidth);
  }

  /** sums = fade sums + key valueᵀ, `[keyWidth, valueWidth]`, of any widths. */
  remember(sums: Place, key: Place, value: Place, keyWidth: number, valueWidth: number, fade: number): void {
    this.#exports.remember(bytes(sums), bytes(key), bytes(value), keyWidth, valueWidth, fade);
  }
}

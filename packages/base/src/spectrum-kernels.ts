import type { DecodingExports } from './decoding-exports.js';
import { bytes, type Place } from './memory-kernels.js';

/** Lengths whose transform is written out: powers of two. */
export const isTransformed = (size: number): boolean => size >= 16 && Number.isInteger(Math.log2(size));

/** A windowed real transform of so many samples, with its tables in the kernels' memory. */
export interface Transform {
  readonly size: number;
  /** Sample that stands at each place of the bit-reversed order. */
  readonly order: readonly number[];
  /** Weights in that order. */
  readonly window: Place;
  /** Cosines and sines of the transforms of 16, 32, … samples that it is put together from. */
  readonly turns: Place;
  readonly rows: Place;
  readonly scratch: Place;
}

/**
 * @param memory of the kernels
 * @param window weight of every sample, of a length that `isTransformed`
 */
export function planTransform(
  memory: { store(values: ArrayLike<number>): Place; allocate(count: number): Place },
  window: ArrayLike<number>,
): Transform {
  const size = window.length;
  const bits = Math.log2(size);
  const order = Array.from({ length: size }, (_, index) => {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((index >> bit) & 1) << (bits - 1 - bit);
    return reversed;
  });
  const turns: number[] = [];
  for (let length = 16; length <= size; length *= 2) {
    for (let k = 1; k < length / 4; k++) {
      const angle = (2 * Math.PI * k) / length;
      turns.push(Math.cos(angle), Math.sin(angle));
    }
  }
  return {
    ...{ size, order },
    window: memory.store(order.map((sample) => window[sample]!)),
    turns: memory.store(turns),
    rows: memory.allocate(size),
    scratch: memory.allocate(4 * size),
  };
}

/** Kernels of attention that is looked at: what tokens received, and its spectra over time. */
export class SpectrumKernels {
  readonly #exports: DecodingExports;

  constructor(exports: DecodingExports) {
    this.#exports = exports;
  }

  /** y = factor x, or y + factor x if `adds`. */
  addScaled(y: Place, x: Place, count: number, factor: number, adds: boolean): void {
    this.#exports.addScaled(bytes(y), bytes(x), count, factor, adds);
  }

  /**
   * average = decay average + |spectrum|, of columns from one on, rounded up to a multiple of 4.
   * @param average `[size / 2 + 1, stride]`
   * @param stride numbers from one frequency to the next
   * @param rowAt where the sample of a time lies for the first column
   */
  fadeIn(
    { size, order, window, turns, rows, scratch }: Transform,
    average: Place,
    stride: number,
    rowAt: (sample: number) => Place,
    columns: number,
    decay: number,
  ): void {
    const addresses = new Uint32Array(this.#exports.memory.buffer, bytes(rows), size);
    order.forEach((sample, place) => {
      addresses[place] = bytes(rowAt(sample));
    });
    const [to, table, weights] = [bytes(average), bytes(rows), bytes(window)];
    const [angles, room] = [bytes(turns), bytes(scratch)];
    this.#exports.fadeInSpectra(to, bytes(stride), table, weights, angles, room, size, columns, decay);
  }
}

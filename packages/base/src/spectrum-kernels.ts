import type { DecodingExports } from './decoding-exports.js';
import { bytes, type Place } from './memory-kernels.js';

/** Lengths whose transform is written out: powers of two. */
export const isTransformed = (size: number): boolean => size >= 16 && Number.isInteger(Math.log2(size));

/** A windowed real transform of so many samples, with its tables in the kernels' memory. */
export interface Transform {
  readonly size: number;
  /** Sample that stands at each place of the bit-reversed order. */
  readonly order: Place;
  /** Weights in that order. */
  readonly window: Place;
  /** Cosines and sines of the transforms that it is put together from. */
  readonly turns: Place;
  readonly rows: Place;
  readonly scratch: Place;
}

/** What query heads gave to the slots that they see. */
export interface HeadScores {
  /** Of the first head, beginning with the first slot that it sees; times its factor they are probabilities. */
  readonly scores: Place;
  /** Numbers from one head's scores to the next head's. */
  readonly stride: number;
  /** `[heads]` */
  readonly factors: Place;
}

/** Rows `[heads, …, columns]` that take in what tokens received. */
export interface ReceivingRows {
  /** The first head's row. */
  readonly row: Place;
  /** Numbers from one head's row to the next head's. */
  readonly headStride: number;
  /** `[heads]`: the first column of each that holds a token. */
  readonly firsts: Place;
  /** The column behind the last of them. */
  readonly end: number;
  readonly heads: number;
  /** Query heads of each. */
  readonly group: number;
}

/** Signals of columns, and the averages of their spectra. */
export interface ColumnSpectra {
  /** `[size / 2 + 1, stride]` */
  readonly average: Place;
  /** `[size, stride]`, whose row `oldest` is the first sample */
  readonly ring: Place;
  readonly oldest: number;
  readonly stride: number;
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
  const turn = (share: number) => turns.push(Math.cos(2 * Math.PI * share), Math.sin(2 * Math.PI * share));
  for (let length = 16; length <= size / 4; length *= 2) {
    for (let k = 1; k < length / 4; k++) turn(k / length);
  }
  for (let k = 1; k < size / 8; k++) for (const times of [1, 2, 3]) turn((times * k) / size);
  return {
    size,
    order: memory.store(order),
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

  /** The mean over each head's query heads of what they gave. */
  receive(rows: ReceivingRows, { scores, stride, factors }: HeadScores): void {
    const { row, headStride, firsts, end, heads, group } = rows;
    const [to, toNext] = [bytes(row), bytes(headStride)];
    const [from, fromNext] = [bytes(scores), bytes(stride)];
    const scale = 1 / group;
    const [shares, starts] = [bytes(factors), bytes(firsts)];
    this.#exports.receive(to, toNext, from, fromNext, shares, scale, starts, end, heads, group);
  }

  /** average = decay average + |spectrum|, of columns from the first on, rounded up to a multiple of 4. */
  fadeIn(transform: Transform, spectra: ColumnSpectra, columns: number, decay: number): void {
    const { size, order, window, turns, rows, scratch } = transform;
    const { average, ring, stride, oldest } = spectra;
    this.#exports.fadeInSpectra(
      bytes(average),
      bytes(ring),
      bytes(stride),
      oldest,
      bytes(order),
      bytes(window),
      bytes(turns),
      bytes(rows),
      bytes(scratch),
      size,
      columns,
      decay,
    );
  }
}

import type { DecodingExports } from './decoding-exports.js';
import { bytes, type Place } from './memory-kernels.js';

/** Columns of a tile: lines of many columns stand tile by tile, so that there can be more of them without moving any. */
export const TILE = 16;

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
  readonly lines: Place;
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

/** Lines that take in what tokens received, tile by tile. */
export interface ReceivingLines {
  /** Addresses of the tiles, as `putAddresses` writes them. */
  readonly tiles: Place;
  /** Numbers from the beginning of a tile to the first head's line. */
  readonly line: number;
  /** Numbers from one head's line to the next head's. */
  readonly headStride: number;
  /** `[heads]`: the first column of each that holds a token. */
  readonly firsts: Place;
  /** The column behind the last of them. */
  readonly end: number;
  readonly heads: number;
  /** Query heads of each. */
  readonly group: number;
}

/** Signals of columns, and the averages of their spectra, tile by tile. */
export interface ColumnSpectra {
  readonly tiles: Place;
  /** Numbers from the beginning of a tile to `[size / 2 + 1, 16]` averages, behind which `[size, 16]` samples stand. */
  readonly head: number;
  /** Line of the first sample. */
  readonly oldest: number;
  readonly first: number;
  /** The column behind the last one. */
  readonly end: number;
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
    lines: memory.allocate(size),
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
  receive(lines: ReceivingLines, { scores, stride, factors }: HeadScores): void {
    const { tiles, line, headStride, firsts, end, heads, group } = lines;
    this.#exports.receive(
      bytes(tiles),
      bytes(line),
      bytes(headStride),
      bytes(scores),
      bytes(stride),
      bytes(factors),
      1 / group,
      bytes(firsts),
      end,
      heads,
      group,
    );
  }

  /** average = decay average + |spectrum|, of columns in whole fours. */
  fadeIn(transform: Transform, { tiles, head, oldest, first, end }: ColumnSpectra, decay: number): void {
    const { size, order, window, turns, lines, scratch } = transform;
    this.#exports.fadeInSpectra(
      bytes(tiles),
      bytes(head),
      oldest,
      bytes(order),
      bytes(window),
      bytes(turns),
      bytes(lines),
      bytes(scratch),
      size,
      first,
      end,
      decay,
    );
  }
}

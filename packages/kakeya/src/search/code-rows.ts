import type { VectorCoder } from '../coders/vector-coder.js';
import type { FloatArray } from '../linalg/matrix.js';

/** Codes of one coder that stand one behind the other and are scored together. */
export interface CodeRows {
  /** Puts a code that the coder made into a row; rows are filled without gaps. */
  set(row: number, code: Uint8Array): void;
  /** Copies one row over another. */
  move(from: number, to: number): void;
  /** query . decoded for the first `count` rows. */
  scores(query: FloatArray, count: number): Float64Array;
}

/** Bits of a look-up at most: larger tables cost more per query than they save per record, and two bytes hold these. */
export const LOOK_UP_BITS = 9;

const SPARE = 5;

/** Rows of `width` bytes in one buffer that doubles when full, with some to spare: a window at the end needs no test. */
export class PackedRows {
  bytes = new Uint8Array(SPARE);
  readonly width: number;

  constructor(width: number) {
    this.width = width;
  }

  /** Where a row begins; makes room for it. */
  place(row: number): number {
    const end = (row + 1) * this.width + SPARE;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(16 * this.width, 2 * end));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    return row * this.width;
  }

  move(from: number, to: number): void {
    this.bytes.copyWithin(to * this.width, from * this.width, (from + 1) * this.width);
  }
}

/** Codes as they are, each scored by the coder's scorer. */
export class SeparateRows implements CodeRows {
  readonly #codes: Uint8Array[] = [];
  readonly #coder: VectorCoder;

  constructor(coder: VectorCoder) {
    this.#coder = coder;
  }

  set(row: number, code: Uint8Array): void {
    this.#codes[row] = code.slice();
  }

  move(from: number, to: number): void {
    this.#codes[to] = this.#codes[from]!;
  }

  scores(query: FloatArray, count: number): Float64Array {
    const score = this.#coder.scorer(query);
    return Float64Array.from({ length: count }, (_, row) => score(this.#codes[row]!));
  }
}

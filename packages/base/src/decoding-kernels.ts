import {
  addedTo,
  BLOCK,
  type ByteRows,
  byteOf,
  type HeadRows,
  headOf,
  PART,
  readByteRows,
  sixteens,
} from './byte-layout.js';
import type { DecodingExports } from './decoding-exports.js';
import { EngineError, InputError } from './errors.js';
import { kernelsModule } from './kernels-wasm.js';
import { bytes, MemoryKernels, type Place } from './memory-kernels.js';
import { SpectrumKernels } from './spectrum-kernels.js';
import { wasmKernels } from './wasm-kernels.js';

export type { Place };

/** Bits of a stored number: 32 are exact; 8 are whole numbers times a step of their row, and read four times as many a second. */
export type StoredBits = 8 | 32;

/** Matrices [blocks, rows, columns] in the kernels' memory, the blocks on the diagonal of one. */
export interface StoredMatrix {
  readonly place: Place;
  readonly rows: number;
  readonly columns: number;
  readonly blocks: number;
  readonly bits: StoredBits;
}

interface Room {
  readonly place: Place;
  readonly count: number;
}

const PAGE = 65_536;
const align = (count: number) => Math.ceil(count / 4) * 4;

/** Gives new instances; `undefined` where WebAssembly or its 128-bit vectors are missing. */
const kernels = wasmKernels<DecodingExports>(kernelsModule);

/** Whether this machine can run the kernels of decoding. */
export const hasDecodingKernels = (): boolean => kernels !== undefined;

/** The kernels of draws from a vocabulary, with a memory of their own. @returns undefined where they cannot run */
export const drawingKernels = ():
  | Pick<DecodingExports, 'memory' | 'blockLargest' | 'blockShares'>
  | undefined => kernels?.();

/**
 * The inner loops of decoding on the processor, with a memory of their own that grows with what is allocated. Rows and widths
 * are multiples of 4. Places are indices into one float32 view of all of it.
 */
export class DecodingKernels {
  readonly #exports: DecodingExports;
  #numbers: Float32Array;
  #next: Place;
  /** Scratch of products with bytes: numbers of 16 bits, and sums or one row. */
  #shorts: Room = { place: 0, count: 0 };
  #row: Room = { place: 0, count: 0 };
  /** Those of memories of fixed size. */
  readonly memories: MemoryKernels;
  /** Those of attention that is looked at. */
  readonly spectra: SpectrumKernels;

  /** @throws EngineError where `hasDecodingKernels` is false. */
  constructor() {
    if (!kernels) throw new EngineError('WebAssembly with 128-bit vectors is missing.');
    this.#exports = kernels();
    this.memories = new MemoryKernels(this.#exports);
    this.spectra = new SpectrumKernels(this.#exports);
    const { memory } = this.#exports;
    this.#numbers = new Float32Array(memory.buffer);
    this.#next = this.#numbers.length;
  }

  /** All of the memory, until the next allocation. */
  get numbers(): Float32Array {
    return this.#numbers;
  }

  /** Room for numbers, 0 at first. */
  allocate(count: number): Place {
    const place = this.#next;
    this.#next += align(count);
    const { memory } = this.#exports;
    const missing = bytes(this.#next) - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / PAGE));
      this.#numbers = new Float32Array(memory.buffer);
    }
    return place;
  }

  /** A copy of numbers. */
  store(values: ArrayLike<number>): Place {
    const place = this.allocate(values.length);
    this.numbers.set(values, place);
    return place;
  }

  /**
   * A matrix [rows, columns] in the layout that `multiply` reads, or several.
   * @param bits Default 32
   * @param blocks `values` are [blocks, rows, columns], each of which meets a part of the other factor; more than 1 with rows
   *   that are a multiple of 4. Default 1
   * @throws InputError for numbers that are not finite, of which 8 bits can make nothing.
   */
  storeMatrix(
    values: ArrayLike<number>,
    rows: number,
    columns: number,
    bits: StoredBits = 32,
    blocks = 1,
  ): StoredMatrix {
    const place =
      bits === 8
        ? this.#storeBytes(values, rows, columns, blocks)
        : this.#storeFloats(values, rows * blocks, columns);
    return { place, rows, columns, blocks, bits };
  }

  /** Four rows by four columns at a time; missing rows of the last four are 0. */
  #storeFloats(values: ArrayLike<number>, rows: number, columns: number): Place {
    const place = this.allocate(align(rows) * columns);
    const { numbers } = this;
    for (let row = 0; row < rows; row++) {
      const block = place + (row - (row % 4)) * columns + 4 * (row % 4);
      for (let column = 0; column < columns; column++) {
        const within = 4 * (column - (column % 4)) + (column % 4);
        numbers[block + within] = values[row * columns + column]!;
      }
    }
    return place;
  }

  /** Of every block the steps of its rows, then its bytes; missing rows have a step of 0. */
  #storeBytes(values: ArrayLike<number>, rows: number, columns: number, blocks: number): Place {
    const size = sixteens(rows) * (1 + columns / 4);
    const place = this.allocate(blocks * size);
    this.#reserve(rows, columns);
    for (let row = 0; row < blocks * rows; row++) {
      const block = place + Math.floor(row / rows) * size;
      this.#storeByteRow(block, rows, row % rows, values, row * columns, columns);
    }
    return place;
  }

  /** A row of a block: `columns` values from `start` on. */
  #storeByteRow(
    block: Place,
    rows: number,
    row: number,
    values: ArrayLike<number>,
    start: number,
    columns: number,
  ): void {
    const [row32, row8] = [this.#row.place, bytes(this.#shorts.place)];
    const { numbers } = this;
    for (let column = 0; column < columns; column++) numbers[row32 + column] = values[start + column]!;
    const step = this.#exports.roundBytes(row8, bytes(row32), columns);
    if (!Number.isFinite(step)) {
      throw new InputError('Weights that are not finite numbers cannot be read in 8 bits.');
    }
    numbers[block + row] = step;
    const all = new Uint8Array(this.#exports.memory.buffer);
    const to = bytes(block + sixteens(rows));
    for (let column = 0; column < columns; column++) {
      all[to + byteOf(row, column, rows, columns)] = all[row8 + column]! + addedTo(row);
    }
  }

  /** Scratch for so many sums of so many terms. */
  #reserve(sums: number, terms: number): void {
    const count = sixteens(Math.max(sums, terms));
    this.#row = this.#atLeast(this.#row, count);
    this.#shorts = this.#atLeast(this.#shorts, Math.ceil(count / BLOCK) * (4 + BLOCK / 2));
  }

  /** Room for so many numbers, which the next call of a kernel may overwrite. */
  scratch(count: number): Place {
    this.#row = this.#atLeast(this.#row, count);
    return this.#row.place;
  }

  #atLeast(room: Room, count: number): Room {
    return room.count >= count ? room : { place: this.allocate(count), count };
  }

  /** Writes where so many places are, as kernels that are led from place to place read it. */
  putAddresses(to: Place, places: readonly Place[]): void {
    new Uint32Array(this.#exports.memory.buffer, bytes(to), places.length).set(places.map(bytes));
  }

  /** The numbers at a place, as they are now and will be until the next allocation. */
  view(place: Place, count: number): Float32Array {
    return this.numbers.subarray(place, place + count);
  }

  /**
   * y = W x + bias, with negative ones cut off if `relu`; of blocks each with the part of y, x and bias that is its own. Rows of
   * 8 bits meet x in whole steps of at most 16 bits, the finer the less of x has one sign.
   */
  multiply(
    y: Place,
    { place, rows, columns, blocks, bits }: StoredMatrix,
    x: Place,
    bias: Place,
    relu = false,
  ): void {
    const [to, w, from, added] = [bytes(y), bytes(place), bytes(x), bytes(bias)];
    if (bits === 32) this.#exports.multiply(to, w, from, added, align(rows), columns, blocks, relu);
    else {
      const [sums, shorts] = [bytes(this.#row.place), bytes(this.#shorts.place)];
      this.#exports.multiplyBytes(to, w, from, sums, shorts, added, align(rows), columns, blocks, relu);
    }
  }

  /** sum += branch; y = its layer normalisation. */
  addNormalised(y: Place, sum: Place, branch: Place, gain: Place, bias: Place, width: number): void {
    this.#exports.addNormalised(bytes(y), bytes(sum), bytes(branch), bytes(gain), bytes(bias), width);
  }

  /**
   * y = softmax(query keysᵀ scale) values over the first `count` rows; `scores` has room for count + 3.
   * @returns what the numbers left in `scores` are multiplied by to be the probabilities
   */
  attend(
    y: Place,
    query: Place,
    keys: Place,
    values: Place,
    scores: Place,
    count: number,
    keyWidth: number,
    valueWidth: number,
    scale: number,
  ): number {
    return this.#exports.attend(
      bytes(y),
      bytes(query),
      bytes(keys),
      bytes(values),
      bytes(scores),
      count,
      keyWidth,
      valueWidth,
      Math.fround(scale),
    );
  }

  /** Room for keys and values of 8 bits. */
  allocateRows(heads: number, columns: number, keyWidth: number, valueWidth: number): ByteRows {
    const parts = Math.ceil(columns / PART);
    const wide = sixteens(valueWidth);
    this.scratch(Math.max(heads * Math.max(parts * PART, wide), keyWidth + valueWidth));
    this.#shorts = this.#atLeast(this.#shorts, heads * (16 + keyWidth + 4 + parts * (4 + PART / 2)));
    return {
      keys: this.allocate((parts * heads * PART * keyWidth) / 4),
      keySteps: this.allocate(parts * heads * PART),
      values: this.allocate((parts * heads * PART * wide) / 4),
      valueSteps: this.allocate(parts * heads * PART),
      heads,
      keyWidth,
      valueWidth,
    };
  }

  /**
   * Rounds keys and values of the first heads to 8 bits, into a column.
   * @param stride numbers from one head to the next
   * @param count of heads. Default all
   */
  putRows(
    rows: ByteRows,
    column: number,
    key: Place,
    value: Place,
    stride: number,
    count: number = rows.heads,
  ): void {
    this.#exports.putRows(
      bytes(rows.keys),
      bytes(rows.keySteps),
      bytes(rows.values),
      bytes(rows.valueSteps),
      bytes(key),
      bytes(value),
      bytes(stride),
      count,
      rows.heads,
      column,
      rows.keyWidth,
      rows.valueWidth,
    );
  }

  /**
   * `attend` of one query per head over the first `count` columns of 8 bits, y `[heads, valueWidth]`.
   * @param stride numbers from one query to the next
   */
  attendBytes(y: Place, query: Place, stride: number, rows: ByteRows, count: number, scale: number): void {
    this.#exports.attendBytes(
      bytes(y),
      bytes(query),
      bytes(stride),
      bytes(rows.keys),
      bytes(rows.keySteps),
      bytes(rows.values),
      bytes(rows.valueSteps),
      bytes(this.#row.place),
      bytes(this.#shorts.place),
      rows.heads,
      count,
      rows.keyWidth,
      rows.valueWidth,
      Math.fround(scale),
    );
  }

  /** A head's columns from the first on. What `readRows` gave is rounded to what it was read from. */
  writeRows(rows: ByteRows, head: number, { keys, values }: HeadRows): void {
    const { keyWidth: k, valueWidth: v } = rows;
    const { place } = this.#row;
    const own = headOf(rows, head);
    for (let column = 0; column < keys.length / k; column++) {
      this.numbers.set(keys.subarray(column * k, (column + 1) * k), place);
      this.numbers.set(values.subarray(column * v, (column + 1) * v), place + k);
      this.putRows(own, column, place, place + k, 0, 1);
    }
  }

  /** What `putRows` left of a head in the first `count` columns, as numbers. */
  readRows(rows: ByteRows, head: number, count: number): HeadRows {
    return readByteRows(this.numbers, rows, head, count);
  }

  /**
   * Rotary positions in place: of `rows` rows, `stride` numbers apart, the pairs (i, i + pairs) are turned by their angles.
   */
  turn(x: Place, rows: number, stride: number, cos: Place, sin: Place, pairs: number): void {
    this.#exports.turn(bytes(x), rows, bytes(stride), bytes(cos), bytes(sin), pairs);
  }

  /** Exact gelu in place, within 1.5e-7. */
  gelu(x: Place, count: number): void {
    this.#exports.gelu(bytes(x), align(count));
  }

  /** One more token in the online softmax of every slot: sum and queries [slots, width], peak and total [slots]. */
  pool(
    { sum, peak, total }: Readonly<Record<'sum' | 'peak' | 'total', Place>>,
    queries: Place,
    source: Place,
    slots: number,
    width: number,
  ): void {
    this.#exports.pool(bytes(sum), bytes(peak), bytes(total), bytes(queries), bytes(source), slots, width);
  }
}

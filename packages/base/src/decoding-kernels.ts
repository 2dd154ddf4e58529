import type { DecodingExports } from './decoding-exports.js';
import { EngineError, InputError } from './errors.js';
import { kernelsModule } from './kernels-wasm.js';
import { bytes, MemoryKernels, type Place } from './memory-kernels.js';
import { wasmKernels } from './wasm-kernels.js';

export type { Place };

/** Bits of a stored number: 32 are exact; 8 are whole numbers times a step of their row, and read four times as many a second. */
export type StoredBits = 8 | 32;

/** A matrix [rows, columns] in the kernels' memory. */
export interface StoredMatrix {
  readonly place: Place;
  readonly rows: number;
  readonly columns: number;
  readonly bits: StoredBits;
}

/** Keys and values of 8 bits: `[heads, room]` rows of their widths, and the step of every row. */
export interface ByteRows {
  readonly keys: Place;
  readonly keySteps: Place;
  readonly values: Place;
  readonly valueSteps: Place;
  readonly heads: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
  /** Columns, a multiple of 16. */
  readonly room: number;
}

/** Keys and values of a head: `[count, keyWidth]` and `[count, valueWidth]`. */
export interface HeadRows {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

interface Room {
  readonly place: Place;
  readonly count: number;
}

const PAGE = 65_536;
const align = (count: number) => Math.ceil(count / 4) * 4;
const sixteens = (count: number) => Math.ceil(count / 16) * 16;

/** Gives new instances; `undefined` where WebAssembly or its 128-bit vectors are missing. */
const kernels = wasmKernels<DecodingExports>(kernelsModule);

/** Whether this machine can run the kernels of decoding. */
export const hasDecodingKernels = (): boolean => kernels !== undefined;

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

  /** @throws EngineError where `hasDecodingKernels` is false. */
  constructor() {
    if (!kernels) throw new EngineError('WebAssembly with 128-bit vectors is missing.');
    this.#exports = kernels();
    this.memories = new MemoryKernels(this.#exports);
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
   * A matrix [rows, columns] in the layout that `multiply` reads.
   * @param bits Default 32
   * @throws InputError for numbers that are not finite, of which 8 bits can make nothing.
   */
  storeMatrix(values: ArrayLike<number>, rows: number, columns: number, bits: StoredBits = 32): StoredMatrix {
    const place =
      bits === 8 ? this.#storeBytes(values, rows, columns) : this.#storeFloats(values, rows, columns);
    return { place, rows, columns, bits };
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

  /** The steps of the rows, then sixteen rows by two columns at a time; missing rows are 0. */
  #storeBytes(values: ArrayLike<number>, rows: number, columns: number): Place {
    const place = this.allocate(sixteens(rows) + (sixteens(rows) * columns) / 4);
    this.#reserve(rows, columns);
    const [row32, row8] = [this.#row.place, bytes(this.#shorts.place)];
    const all = new Uint8Array(this.#exports.memory.buffer);
    const { numbers } = this;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        numbers[row32 + column] = values[row * columns + column]!;
      }
      const step = this.#exports.roundBytes(row8, bytes(row32), columns);
      if (!Number.isFinite(step)) {
        throw new InputError('Weights that are not finite numbers cannot be read in 8 bits.');
      }
      numbers[place + row] = step;
      const group = bytes(place + sixteens(rows)) + (row - (row % 16)) * columns + 2 * (row % 16);
      for (let column = 0; column < columns; column++) {
        all[group + 32 * (column >> 1) + (column & 1)] = all[row8 + column]!;
      }
    }
    return place;
  }

  /** Scratch for so many sums of so many terms. */
  #reserve(sums: number, terms: number): void {
    const count = sixteens(Math.max(sums, terms));
    this.#row = this.#atLeast(this.#row, count);
    this.#shorts = this.#atLeast(this.#shorts, count / 2);
  }

  /** Room for so many numbers, which the next call of a kernel may overwrite. */
  scratch(count: number): Place {
    this.#row = this.#atLeast(this.#row, count);
    return this.#row.place;
  }

  #atLeast(room: Room, count: number): Room {
    return room.count >= count ? room : { place: this.allocate(count), count };
  }

  /** The numbers at a place, as they are now and will be until the next allocation. */
  view(place: Place, count: number): Float32Array {
    return this.numbers.subarray(place, place + count);
  }

  /** y = W x + bias, with negative ones cut off if `relu`. Rows of 8 bits meet x rounded to 16. */
  multiply(
    y: Place,
    { place, rows, columns, bits }: StoredMatrix,
    x: Place,
    bias: Place,
    relu = false,
  ): void {
    const [to, w, from, added] = [bytes(y), bytes(place), bytes(x), bytes(bias)];
    if (bits === 32) this.#exports.multiply(to, w, from, added, align(rows), columns, relu);
    else {
      const [sums, shorts] = [bytes(this.#row.place), bytes(this.#shorts.place)];
      this.#exports.multiplyBytes(to, w, from, sums, shorts, added, align(rows), columns, relu);
    }
  }

  /** sum += branch; y = its layer normalisation. */
  addNormalised(y: Place, sum: Place, branch: Place, gain: Place, bias: Place, width: number): void {
    this.#exports.addNormalised(bytes(y), bytes(sum), bytes(branch), bytes(gain), bytes(bias), width);
  }

  /** y = softmax(query keysᵀ scale) values over the first `count` rows; `scores` has room for count + 3. */
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
  ): void {
    this.#exports.attend(
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
    const room = sixteens(columns);
    this.#reserve(Math.max(room, keyWidth + valueWidth), 0);
    return {
      keys: this.allocate((heads * room * keyWidth) / 4),
      keySteps: this.allocate(heads * room),
      values: this.allocate((heads * room * sixteens(valueWidth)) / 4),
      valueSteps: this.allocate(heads * room),
      heads,
      keyWidth,
      valueWidth,
      room,
    };
  }

  /** Rounds a key and a value of every head to 8 bits, into a column. @param stride numbers from one head to the next */
  putRows(rows: ByteRows, column: number, key: Place, value: Place, stride: number): void {
    const { heads, keyWidth, valueWidth, room } = rows;
    this.#exports.putRows(
      bytes(rows.keys),
      bytes(rows.keySteps),
      bytes(rows.values),
      bytes(rows.valueSteps),
      bytes(key),
      bytes(value),
      bytes(stride),
      heads,
      column,
      keyWidth,
      valueWidth,
      room,
    );
  }

  /**
   * `attend` of one query per head over the first `count` columns of 8 bits, y `[heads, valueWidth]`.
   * @param stride numbers from one query to the next
   */
  attendBytes(y: Place, query: Place, stride: number, rows: ByteRows, count: number, scale: number): void {
    const { heads, keyWidth, valueWidth, room } = rows;
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
      heads,
      count,
      keyWidth,
      valueWidth,
      room,
      Math.fround(scale),
    );
  }

  /** A head's columns from the first on. What `readRows` gave is rounded to what it was read from. */
  writeRows(rows: ByteRows, head: number, { keys, values }: HeadRows): void {
    const { keyWidth: k, valueWidth: v, room } = rows;
    const { place } = this.#row;
    const own: ByteRows = {
      ...rows,
      keys: rows.keys + (head * room * k) / 4,
      keySteps: rows.keySteps + head * room,
      values: rows.values + (head * room * sixteens(v)) / 4,
      valueSteps: rows.valueSteps + head * room,
      heads: 1,
    };
    const { numbers } = this;
    for (let column = 0; column < keys.length / k; column++) {
      numbers.set(keys.subarray(column * k, (column + 1) * k), place);
      numbers.set(values.subarray(column * v, (column + 1) * v), place + k);
      this.putRows(own, column, place, place + k, 0);
    }
  }

  /** What `putRows` left of a head in the first `count` columns, as numbers. */
  readRows(rows: ByteRows, head: number, count: number): HeadRows {
    const all = new Int8Array(this.#exports.memory.buffer);
    const { keyWidth: k, valueWidth: v, room } = rows;
    const keyBytes = bytes(rows.keys) + head * room * k;
    const valueBytes = bytes(rows.values) + head * room * sixteens(v);
    const keySteps = this.view(rows.keySteps + head * room, count);
    const valueSteps = this.view(rows.valueSteps + head * room, count);
    const [keys, values] = [new Float32Array(count * k), new Float32Array(count * v)];
    for (let column = 0; column < count; column++) {
      const key = keyBytes + (column >> 4) * 16 * k + 2 * (column & 15);
      const value = valueBytes + (column >> 1) * 32 + (column & 1);
      for (let i = 0; i < k; i++) {
        keys[column * k + i] = all[key + 32 * (i >> 1) + (i & 1)]! * keySteps[column]!;
      }
      for (let i = 0; i < v; i++) {
        values[column * v + i] = all[value + 16 * room * (i >> 4) + 2 * (i & 15)]! * valueSteps[column]!;
      }
    }
    return { keys, values };
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

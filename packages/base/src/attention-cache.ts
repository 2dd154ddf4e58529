import type { ByteRows, HeadRows } from './byte-layout.js';
import type { DecodingKernels, Place, StoredBits } from './decoding-kernels.js';

/** What an attention with keys and values of its own is about. */
export interface AttentionShape {
  readonly heads: number;
  /** Rows of keys and values that there is room for. */
  readonly columns: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}

/**
 * Keys and values of the heads of an attention in the kernels' memory, in columns that are written in any order and read from
 * the first on. What the heads are given lies `stride` numbers apart.
 */
export interface AttentionCache {
  /** Copies a key and a value of every head into a column. */
  put(column: number, key: Place, value: Place, stride: number): void;
  /** y = softmax(query keysᵀ scale) values over the first `count` columns, `[heads, valueWidth]`. */
  attend(y: Place, query: Place, stride: number, count: number, scale: number): void;
  /** Copy of a head's first columns. */
  read(head: number, count: number): HeadRows;
  /** A head's columns from the first on; what `read` gave comes back bit for bit. */
  write(head: number, rows: HeadRows): void;
}

/** Room for keys and values, exact or of 8 bits. */
export function createAttentionCache(
  kernels: DecodingKernels,
  shape: AttentionShape,
  bits: StoredBits,
): AttentionCache {
  return bits === 32 ? new FloatCache(kernels, shape) : new ByteCache(kernels, shape);
}

class FloatCache implements AttentionCache {
  readonly #keys: Place;
  readonly #values: Place;

  constructor(
    private readonly kernels: DecodingKernels,
    private readonly shape: AttentionShape,
  ) {
    const { heads, columns, keyWidth, valueWidth } = shape;
    this.#keys = kernels.allocate(heads * columns * keyWidth);
    this.#values = kernels.allocate(heads * columns * valueWidth);
  }

  put(column: number, key: Place, value: Place, stride: number): void {
    const { numbers } = this.kernels;
    const { heads, keyWidth, valueWidth } = this.shape;
    for (let head = 0; head < heads; head++) {
      const [from, valueFrom] = [key + head * stride, value + head * stride];
      numbers.copyWithin(this.#keysOf(head) + column * keyWidth, from, from + keyWidth);
      numbers.copyWithin(this.#valuesOf(head) + column * valueWidth, valueFrom, valueFrom + valueWidth);
    }
  }

  attend(y: Place, query: Place, stride: number, count: number, scale: number): void {
    const scores = this.kernels.scratch(count + 3);
    const { heads, keyWidth, valueWidth } = this.shape;
    for (let head = 0; head < heads; head++) {
      const [keys, values] = [this.#keysOf(head), this.#valuesOf(head)];
      const [to, from] = [y + head * valueWidth, query + head * stride];
      this.kernels.attend(to, from, keys, values, scores, count, keyWidth, valueWidth, scale);
    }
  }

  read(head: number, count: number): HeadRows {
    return {
      keys: this.kernels.view(this.#keysOf(head), count * this.shape.keyWidth).slice(),
      values: this.kernels.view(this.#valuesOf(head), count * this.shape.valueWidth).slice(),
    };
  }

  write(head: number, { keys, values }: HeadRows): void {
    this.kernels.numbers.set(keys, this.#keysOf(head));
    this.kernels.numbers.set(values, this.#valuesOf(head));
  }

  #keysOf(head: number): Place {
    return this.#keys + head * this.shape.columns * this.shape.keyWidth;
  }

  #valuesOf(head: number): Place {
    return this.#values + head * this.shape.columns * this.shape.valueWidth;
  }
}

class ByteCache implements AttentionCache {
  readonly #rows: ByteRows;

  constructor(
    private readonly kernels: DecodingKernels,
    { heads, columns, keyWidth, valueWidth }: AttentionShape,
  ) {
    this.#rows = kernels.allocateRows(heads, columns, keyWidth, valueWidth);
  }

  put(column: number, key: Place, value: Place, stride: number): void {
    this.kernels.putRows(this.#rows, column, key, value, stride);
  }

  attend(y: Place, query: Place, stride: number, count: number, scale: number): void {
    this.kernels.attendBytes(y, query, stride, this.#rows, count, scale);
  }

  read(head: number, count: number): HeadRows {
    return this.kernels.readRows(this.#rows, head, count);
  }

  write(head: number, rows: HeadRows): void {
    this.kernels.writeRows(this.#rows, head, rows);
  }
}

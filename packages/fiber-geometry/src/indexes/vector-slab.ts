import { type IndexKernels, indexKernels } from './index-kernels.js';

/** Numbers from which on the rows lie in the memory of kernels: less is looked through before a kernel has begun. */
const KERNEL_FLOATS = 16_384;
/** Most rows that one call of {@link VectorSlab.near} takes. */
export const SCANNED_ROWS = 4096;

/** Vectors by id in one matrix that grows by doubling; a removed row is filled by the last one. */
export class VectorSlab {
  /** `[size, dimension]`, with spare room behind; a view, valid until a vector is added. */
  rows: Float32Array;
  /** Id of every row. */
  ids: Float64Array;
  size = 0;
  #scanner: SlabScanner | undefined;
  readonly #rowOf = new Map<number, number>();

  constructor(
    readonly dimension: number,
    capacity = 16,
  ) {
    this.rows = new Float32Array(capacity * dimension);
    this.ids = new Float64Array(capacity);
  }

  has(id: number): boolean {
    return this.#rowOf.has(id);
  }

  /** Row of an id, or -1. */
  rowOf(id: number): number {
    return this.#rowOf.get(id) ?? -1;
  }

  /** The vector of an id that is in; a view, valid until the slab changes. */
  vector(id: number): Float32Array {
    const row = this.rowOf(id);
    return this.rows.subarray(row * this.dimension, (row + 1) * this.dimension);
  }

  /** Adds or replaces the vector of an id. */
  set(id: number, vector: ArrayLike<number>): void {
    let row = this.rowOf(id);
    if (row < 0) {
      if (this.size === this.ids.length) this.#grow();
      row = this.size++;
      this.ids[row] = id;
      this.#rowOf.set(id, row);
    }
    this.rows.set(vector, row * this.dimension);
  }

  remove(id: number): boolean {
    const row = this.#rowOf.get(id);
    if (row === undefined) return false;
    const last = --this.size;
    const moved = this.ids[last]!;
    this.rows.copyWithin(row * this.dimension, last * this.dimension, (last + 1) * this.dimension);
    this.ids[row] = moved;
    this.#rowOf.set(moved, row);
    this.#rowOf.delete(id);
    return true;
  }

  allIds(): IterableIterator<number> {
    return this.#rowOf.keys();
  }

  /**
   * Looks through rows by vector instructions.
   * @returns a function that gives, of the `count` rows from one on, at most {@link SCANNED_ROWS}, those whose product with the
   *   query may reach a threshold, a view that is valid until its next call; `undefined` where a plain loop is the quicker way
   */
  near(query: Float64Array): ((from: number, count: number, threshold: number) => Int32Array) | undefined {
    return this.#scanner?.near(query);
  }

  #grow(): void {
    const ids = new Float64Array(this.ids.length * 2);
    ids.set(this.ids);
    this.ids = ids;
    this.rows = this.#grownRows(this.rows.length * 2);
  }

  #grownRows(floats: number): Float32Array {
    if (floats >= KERNEL_FLOATS) {
      const scanner = this.#scanner ?? SlabScanner.create(this.dimension);
      const rows = scanner?.grow(floats);
      if (rows) {
        if (!this.#scanner) rows.set(this.rows);
        this.#scanner = scanner;
        return rows;
      }
    }
    // Without kernels, or when their 4 GiB are full.
    const rows = new Float32Array(floats);
    rows.set(this.rows);
    this.#scanner = undefined;
    return rows;
  }
}

/** Rows in the memory of an instance of the kernels. */
class SlabScanner {
  readonly #query: number;
  readonly #out: number;
  readonly #rows: number;
  #bytes = 0;

  private constructor(
    private readonly kernels: IndexKernels,
    private readonly dimension: number,
  ) {
    this.#query = kernels.allocate(4 * dimension);
    this.#out = kernels.allocate(4 * SCANNED_ROWS);
    this.#rows = kernels.allocate(0);
  }

  /** Undefined without WebAssembly, or when there are so many memories (some 13,000 in Node) that no addresses are left for one. */
  static create(dimension: number): SlabScanner | undefined {
    try {
      return indexKernels && new SlabScanner(indexKernels(), dimension);
    } catch {
      return undefined;
    }
  }

  /** The rows with room for so many numbers, with what stood there before; `undefined` where there is no memory. */
  grow(floats: number): Float32Array | undefined {
    // A multiple of 16, so that what comes next lies right behind.
    const bytes = Math.ceil(floats / 4) * 16;
    if (this.kernels.allocate(bytes - this.#bytes) === 0) return undefined;
    this.#bytes = bytes;
    return new Float32Array(this.kernels.memory.buffer, this.#rows, floats);
  }

  near(query: Float64Array): (from: number, count: number, threshold: number) => Int32Array {
    const { kernels, dimension } = this;
    const slack = roundingOf(dimension);
    new Float32Array(kernels.memory.buffer, this.#query, dimension).set(query);
    const rowBytes = 4 * dimension;
    return (from, count, threshold) => {
      const first = this.#rows + from * rowBytes;
      const found = kernels.scan(first, count, rowBytes, this.#query, threshold - slack, this.#out);
      return new Int32Array(kernels.memory.buffer, this.#out, found);
    };
  }
}

/**
 * How far a product of unit vectors that a kernel sums in float32 can lie from the exact one: each of at least four sums rounds
 * once for each of its products, and they add up to one at most; the query and the threshold are rounded too.
 */
export function roundingOf(dimension: number): number {
  return (dimension / 4 + 8) * 2 ** -23;
}

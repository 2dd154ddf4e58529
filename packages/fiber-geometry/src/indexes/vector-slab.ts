/** Vectors by id in one matrix that grows by doubling; a removed row is filled by the last one. */
export class VectorSlab {
  /** `[size, dimension]`, with spare room behind. */
  rows: Float32Array;
  /** Id of every row. */
  ids: Float64Array;
  size = 0;
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

  #grow(): void {
    const rows = new Float32Array(this.rows.length * 2);
    const ids = new Float64Array(this.ids.length * 2);
    rows.set(this.rows);
    ids.set(this.ids);
    this.rows = rows;
    this.ids = ids;
  }
}

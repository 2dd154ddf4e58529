import { InputError } from '@palimpsest/tensor-core';
import { TopK } from './top-k.js';
import {
  checkCount,
  checkedVector,
  checkId,
  compareIds,
  dotRow,
  type SearchHit,
  type VectorIndex,
} from './vector-index.js';
import { SCANNED_ROWS, VectorSlab } from './vector-slab.js';

/** Exact search by one pass over all vectors: no build cost, the yardstick of the other indexes. */
export class FlatIndex implements VectorIndex {
  readonly #slab: VectorSlab;
  /** A vector that comes in. */
  readonly #unit: Float64Array;

  constructor(readonly dimension: number) {
    this.#slab = new VectorSlab(dimension);
    this.#unit = new Float64Array(dimension);
  }

  get size(): number {
    return this.#slab.size;
  }

  has(id: number): boolean {
    return this.#slab.has(id);
  }

  insert(id: number, vector: ArrayLike<number>): void {
    checkId(id);
    this.#slab.set(id, checkedVector(vector, this.dimension, `The vector of id ${id}`, true, this.#unit));
  }

  update(id: number, vector: ArrayLike<number>): void {
    if (!this.has(id)) throw new InputError(`There is no id ${id} to update; insert it first.`);
    this.insert(id, vector);
  }

  remove(id: number): boolean {
    return this.#slab.remove(id);
  }

  search(query: ArrayLike<number>, k: number): SearchHit[] {
    checkCount(k);
    const { rows, ids, size } = this.#slab;
    const d = this.dimension;
    const q = checkedVector(query, d, 'The query');
    const best = new TopK(Math.min(k, Math.max(size, 1)));
    const near = this.#slab.near(q);
    // Few rows at first: until there are k, nothing can be passed by, and not much after few.
    let most = near ? Math.min(k, SCANNED_ROWS) : size;
    for (let from = 0, count = 0; from < size; from += count, most = Math.min(2 * most, SCANNED_ROWS)) {
      count = Math.min(most, size - from);
      const some = near?.(from, count, best.threshold);
      const offered = some?.length ?? count;
      for (let i = 0; i < offered; i++) {
        const row = from + (some ? some[i]! : i);
        best.offer(ids[row]!, dotRow(rows, row * d, q, d));
      }
    }
    return best.hits();
  }

  /** Cosines of the query with the given ids; those that are not in are left out. */
  cosines(query: ArrayLike<number>, ids: Iterable<number>): Map<number, number> {
    const q = checkedVector(query, this.dimension, 'The query');
    const result = new Map<number, number>();
    for (const id of ids) {
      const row = this.#slab.rowOf(id);
      if (row >= 0) result.set(id, dotRow(this.#slab.rows, row * this.dimension, q, this.dimension));
    }
    return result;
  }

  /** The normalised vector of an id that is in; a view, valid until the index changes. */
  vectorOf(id: number): Float32Array {
    return this.#slab.vector(id);
  }

  /** Ids and normalised vectors, in no particular order. */
  *entries(): IterableIterator<[number, Float32Array]> {
    for (const id of this.#slab.allIds()) yield [id, this.#slab.vector(id).slice()];
  }

  verify(ids: Iterable<number>): string[] {
    return compareIds(this.#slab.allIds(), ids, 'The flat index');
  }
}

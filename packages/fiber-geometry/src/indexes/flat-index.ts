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
import { VectorSlab } from './vector-slab.js';

/** Exact search by one pass over all vectors: no build cost, the yardstick of the other indexes. */
export class FlatIndex implements VectorIndex {
  readonly #slab: VectorSlab;

  constructor(readonly dimension: number) {
    this.#slab = new VectorSlab(dimension);
  }

  get size(): number {
    return this.#slab.size;
  }

  has(id: number): boolean {
    return this.#slab.has(id);
  }

  insert(id: number, vector: ArrayLike<number>): void {
    checkId(id);
    this.#slab.set(id, checkedVector(vector, this.dimension, `The vector of id ${id}`));
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
    let threshold = Number.NEGATIVE_INFINITY;
    for (let row = 0; row < size; row++) {
      const cosine = dotRow(rows, row * d, q, d);
      if (cosine < threshold) continue;
      best.offer(ids[row]!, cosine);
      threshold = best.threshold;
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
    for (const id of this.#slab.allIds()) yield [id, this.#slab.vector(id)];
  }

  verify(ids: Iterable<number>): string[] {
    return compareIds(this.#slab.allIds(), ids, 'The flat index');
  }
}

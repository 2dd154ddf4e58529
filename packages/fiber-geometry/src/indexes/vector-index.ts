import { InputError } from '@palimpsest/tensor-core';
import type { GraphLinks } from './graph-links.js';

/** One found entry and the cosine of its vector with the query. */
export interface SearchHit {
  readonly id: number;
  readonly cosine: number;
}

/** What an index that is a graph keeps in a file, beside the vectors of its ids. */
export interface SavedGraph extends GraphLinks {
  /** Slot of every id, by rising id. */
  readonly slots: Int32Array;
  /** Vectors of slots that no id has any more, by rising slot. */
  readonly removed: Float32Array;
}

/** An index over directions. Ids are non-negative integers; vectors are copied and normalised when they come in. */
export interface VectorIndex {
  /** Dimension of the vectors. */
  readonly dimension: number;
  /** Number of ids. */
  readonly size: number;
  has(id: number): boolean;
  /**
   * Adds a vector; an id that is already in gets the new vector instead.
   * @throws InputError for a bad id, a wrong dimension, NaN, infinity or a zero vector; the index is then unchanged.
   */
  insert(id: number, vector: ArrayLike<number>): void;
  /** Replaces the vector of an id. @throws InputError as `insert`, and for an id that is not in. */
  update(id: number, vector: ArrayLike<number>): void;
  /** Takes an id out; says whether it was in. */
  remove(id: number): boolean;
  /**
   * The k entries of largest cosine, sorted by falling cosine and then rising id. The query need not be normalised.
   * @param ef candidates that a graph looks at, for this search; its own number when absent
   * @throws InputError for a query of wrong dimension, not finite or zero, or a k below 1.
   */
  search(query: ArrayLike<number>, k: number, ef?: number): SearchHit[];
  /** Everything inside that is inconsistent, or that disagrees with the given ids; empty when all is well. */
  verify(ids: Iterable<number>): string[];
  /** The graph that now answers searches, if one does. */
  saved?(): SavedGraph | undefined;
  /**
   * Fills an empty index of the same options with what it had when it was saved; what comes after is linked as it would have been then.
   * @param entries ids and vectors, by rising id
   * @throws InputError for a graph that is damaged or that of other entries; the index is then of no use.
   */
  restore?(saved: SavedGraph, entries: Iterable<readonly [number, ArrayLike<number>]>): void;
}

/** @throws InputError unless the id is a non-negative integer. */
export function checkId(id: number): void {
  if (Number.isSafeInteger(id) && id >= 0) return;
  throw new InputError(`An id must be a non-negative integer, but ${String(id)} was given.`);
}

/**
 * A checked copy of a vector, of length one if `unit`.
 * @param copy takes it; a new one by default, whose memory costs as much as some comparisons of vectors
 * @throws InputError for a wrong dimension, NaN, infinity or a zero vector.
 */
export function checkedVector(
  vector: ArrayLike<number>,
  dimension: number,
  what: string,
  unit = true,
  copy: Float64Array = new Float64Array(dimension),
): Float64Array {
  if (vector.length !== dimension) {
    throw new InputError(`${what} must have ${dimension} numbers, but has ${vector.length}.`);
  }
  copy.set(vector);
  let largest = 0;
  for (let i = 0; i < dimension; i++) {
    if (!Number.isFinite(copy[i])) {
      throw new InputError(`${what} holds ${copy[i]} at position ${i}; directions must be finite.`);
    }
    const size = Math.abs(copy[i]!);
    if (size > largest) largest = size;
  }
  if (largest === 0) throw new InputError(`${what} is the zero vector, which has no direction.`);
  if (!unit) return copy;
  // Scaled by the largest entry first, so that neither squares of tiny nor of huge entries are lost.
  let sum = 0;
  for (let i = 0; i < dimension; i++) sum += (copy[i]! / largest) ** 2;
  const norm = Math.sqrt(sum);
  for (let i = 0; i < dimension; i++) copy[i] = copy[i]! / largest / norm;
  return copy;
}

/** @throws InputError unless k is a whole number of at least 1. */
export function checkCount(k: number): void {
  if (Number.isInteger(k) && k >= 1) return;
  throw new InputError(`The number of results must be a whole number of at least 1, but is ${k}.`);
}

/** ⟨row, query⟩ for the row that starts at `at`. Every index uses this one, so that cosines agree bit for bit. */
export function dotRow(rows: Float32Array, at: number, query: Float64Array, dimension: number): number {
  let [a, b, c, e] = [0, 0, 0, 0];
  const whole = dimension & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    a += rows[at + i]! * query[i]!;
    b += rows[at + i + 1]! * query[i + 1]!;
    c += rows[at + i + 2]! * query[i + 2]!;
    e += rows[at + i + 3]! * query[i + 3]!;
  }
  for (; i < dimension; i++) a += rows[at + i]! * query[i]!;
  return a + b + (c + e);
}

/** Messages for ids that are in one of two sets only. */
export function compareIds(inside: Iterable<number>, expected: Iterable<number>, name: string): string[] {
  const [held, wanted] = [new Set(inside), new Set(expected)];
  const list = (ids: Set<number>, other: Set<number>) => [...ids].filter((id) => !other.has(id));
  const extra = list(held, wanted);
  const missing = list(wanted, held);
  const shown = (ids: number[]) => `${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ', …' : ''}`;
  const messages: string[] = [];
  if (extra.length > 0)
    messages.push(`${name} holds ${extra.length} ids that the store lacks: ${shown(extra)}`);
  if (missing.length > 0)
    messages.push(`${name} lacks ${missing.length} ids of the store: ${shown(missing)}`);
  return messages;
}

import { InputError, Rng } from '@palimpsest/tensor-core';
import { type FoundSlots, HnswGraph, LARGEST_DEGREE } from './hnsw-graph.js';
import { TopK } from './top-k.js';
import {
  checkCount,
  checkedVector,
  checkId,
  compareIds,
  dotRow,
  type SavedGraph,
  type SearchHit,
  type VectorIndex,
} from './vector-index.js';
import { roundingOf } from './vector-slab.js';

export interface HnswOptions {
  /** Neighbours per slot, twice that on layer 0. Default 16. */
  readonly degree?: number;
  /** Candidates looked at when a vector is linked. Default 100. */
  readonly efConstruction?: number;
  /** Candidates of a search. Default 64 up to 10⁴ entries, rising to 112 at 10⁵ and beyond. */
  readonly ef?: number;
  /** Seed of the levels. Default 0. */
  readonly seed?: number;
}

/** Share of tombstones at which the graph is built anew. */
const REBUILD_SHARE = 0.25;
const NO_ID = -1;

/**
 * Approximate nearest directions on a hierarchical navigable small-world graph (Malkov and Yashunin, 2016), with true
 * cosines. One graph slot stands for all ids of one and the same vector, so duplicates cannot crowd out neighbours. A
 * removed vector stays as a tombstone, walked over but never returned, until a quarter of the slots are tombstones.
 */
export class HnswIndex implements VectorIndex {
  readonly #degree: number;
  readonly #efConstruction: number;
  readonly #ef: number | undefined;
  readonly #rng: Rng;
  #graph: HnswGraph;
  /** First id of every slot, or NO_ID for a tombstone; further ids of equal vectors stand in `#more`. */
  #firstId = new Float64Array(16);
  readonly #more = new Map<number, number[]>();
  readonly #slotOf = new Map<number, number>();
  /** Slots by hash of their vector; the rare slots that share a hash are chained. */
  readonly #slotsByHash = new Map<number, number | number[]>();
  #tombstones = 0;
  /** A vector that comes in, or the query of a search, of length one. */
  readonly #exact: Float64Array;
  /** A vector that comes in, rounded. */
  readonly #rounded: Float32Array;

  constructor(
    readonly dimension: number,
    { degree = 16, efConstruction = 100, ef, seed = 0 }: HnswOptions = {},
  ) {
    if (
      !(degree >= 2 && degree <= LARGEST_DEGREE) ||
      !(efConstruction >= 1) ||
      (ef !== undefined && !(ef >= 1))
    ) {
      throw new InputError(
        `HnswIndex needs a degree from 2 to ${LARGEST_DEGREE}, efConstruction >= 1 and ef >= 1, but got ${degree}, ${efConstruction} and ${ef}.`,
      );
    }
    this.#degree = degree;
    this.#efConstruction = efConstruction;
    this.#ef = ef;
    this.#rng = Rng.fromSeed(seed);
    this.#graph = new HnswGraph(dimension, degree);
    this.#exact = new Float64Array(dimension);
    this.#rounded = new Float32Array(dimension);
  }

  get size(): number {
    return this.#slotOf.size;
  }

  /** Share of the graph's slots that hold no id any more. */
  get tombstoneShare(): number {
    return this.#graph.size === 0 ? 0 : this.#tombstones / this.#graph.size;
  }

  has(id: number): boolean {
    return this.#slotOf.has(id);
  }

  insert(id: number, vector: ArrayLike<number>): void {
    checkId(id);
    const unit = this.#unit(id, vector);
    const equal = this.#equalSlot(unit);
    if (equal !== undefined && this.#slotOf.get(id) === equal) return;
    this.remove(id);
    // The removal may have built the graph anew, which moves slots.
    this.#assign(id, this.#equalSlot(unit) ?? this.#addSlot(unit));
  }

  update(id: number, vector: ArrayLike<number>): void {
    if (!this.has(id)) throw new InputError(`There is no id ${id} to update; insert it first.`);
    this.insert(id, vector);
  }

  remove(id: number): boolean {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return false;
    this.#slotOf.delete(id);
    const more = this.#more.get(slot) ?? [];
    if (this.#firstId[slot] === id) this.#firstId[slot] = more.shift() ?? NO_ID;
    else more.splice(more.indexOf(id), 1);
    if (more.length === 0) this.#more.delete(slot);
    if (this.#firstId[slot] === NO_ID) {
      this.#tombstones += 1;
      if (this.#tombstones > REBUILD_SHARE * this.#graph.size) this.#rebuild();
    }
    return true;
  }

  /** @param ef candidates of this search; the index's own when absent. */
  search(query: ArrayLike<number>, k: number, ef = this.#ef ?? defaultEf(this.#graph.size)): SearchHit[] {
    checkCount(k);
    const q = checkedVector(query, this.dimension, 'The query', true, this.#exact);
    if (this.size === 0) return [];
    const slack = roundingOf(this.dimension);
    for (let width = Math.max(ef, k); ; width *= 2) {
      const found = this.#graph.search(q, width);
      const best = new TopK(k);
      let held = 0;
      for (let i = 0; i < found.count && found.similarityAt(i) >= best.threshold - slack; i++) {
        held += this.#offer(found, found.slotAt(i), q, best);
      }
      // Tombstones may have taken the place of entries: look wider until enough are found.
      if (held >= Math.min(k, this.size) || width >= this.#graph.size) return best.hits();
    }
  }

  saved(): SavedGraph {
    const ids = Float64Array.from(this.#slotOf.keys()).sort();
    const removed: number[] = [];
    for (let slot = 0; slot < this.#graph.size; slot++) {
      if (this.#firstId[slot] === NO_ID) removed.push(slot);
    }
    const rows = new Float32Array(removed.length * this.dimension);
    removed.forEach((slot, i) => {
      rows.set(this.#graph.row(slot), i * this.dimension);
    });
    return {
      ...this.#graph.links(),
      slots: Int32Array.from(ids, (id) => this.#slotOf.get(id)!),
      removed: rows,
    };
  }

  restore(saved: SavedGraph, entries: Iterable<readonly [number, ArrayLike<number>]>): void {
    const { levels, slots } = saved;
    const rows: Float32Array[] = [];
    const ids: number[] = [];
    for (const [id, vector] of entries) {
      const slot = slots[ids.length] ?? NO_ID;
      if (!(slot >= 0 && slot < levels.length))
        throw new InputError(`The graph has no slot for the id ${id}.`);
      const row = this.#unit(id, vector).slice();
      if (rows[slot]?.some((value, i) => value !== row[i])) {
        throw new InputError(`The graph has one slot for the id ${id} and one of another vector.`);
      }
      rows[slot] ??= row;
      ids.push(id);
    }
    if (slots.length !== ids.length)
      throw new InputError(`The graph has slots for ${slots.length} ids, not ${ids.length}.`);
    const { removed } = saved;
    let at = 0;
    for (let slot = 0; slot < levels.length; slot++) {
      if (rows[slot]) continue;
      rows[slot] = removed.subarray(at, at + this.dimension);
      at += this.dimension;
    }
    if (at !== removed.length) {
      throw new InputError(`The graph has ${removed.length} numbers for vectors without an id, not ${at}.`);
    }
    this.#graph.restore(saved, rows);
    for (const [slot, row] of rows.entries()) this.#enter(slot, row);
    for (const [i, id] of ids.entries()) this.#assign(id, slots[i]!);
    for (let slot = 0; slot < levels.length; slot++) this.#rng.uniform();
  }

  /** Ids and normalised vectors, in no particular order. */
  *entries(): IterableIterator<[number, Float32Array]> {
    for (const [id, slot] of this.#slotOf) yield [id, this.#graph.row(slot).slice()];
  }

  verify(ids: Iterable<number>): string[] {
    const messages = compareIds(this.#slotOf.keys(), ids, 'The graph');
    for (const [id, slot] of this.#slotOf) {
      if (this.#firstId[slot] !== id && !this.#more.get(slot)?.includes(id)) {
        messages.push(`The slot of id ${id} does not hold it`);
      }
    }
    let tombstones = 0;
    for (let slot = 0; slot < this.#graph.size; slot++) {
      if (this.#firstId[slot] === NO_ID) tombstones += 1;
      for (const neighbour of this.#graph.neighbours(slot, 0)) {
        if (neighbour >= this.#graph.size || neighbour === slot) {
          messages.push(`Slot ${slot} has the impossible neighbour ${neighbour}`);
        }
      }
    }
    const lost = this.#graph.unreachable().filter((slot) => this.#firstId[slot] !== NO_ID);
    if (lost.length > 0) {
      const shown = lost.slice(0, 5).map((slot) => this.#firstId[slot]);
      messages.push(`No path leads to ${lost.length} vectors, as that of id ${shown.join(', ')}`);
    }
    if (tombstones !== this.#tombstones) {
      messages.push(`The graph has ${tombstones} tombstones but counts ${this.#tombstones}`);
    }
    return messages;
  }

  /** A vector that comes in, at length one; valid until the next one comes. */
  #unit(id: number, vector: ArrayLike<number>): Float32Array {
    checkedVector(vector, this.dimension, `The vector of id ${id}`, true, this.#exact);
    this.#rounded.set(this.#exact);
    return this.#rounded;
  }

  /** Offers the ids of a slot with their exact cosine; says how many there are. */
  #offer({ memory, rowAt }: FoundSlots, slot: number, query: Float64Array, best: TopK): number {
    if (this.#firstId[slot] === NO_ID) return 0;
    const cosine = dotRow(memory, rowAt(slot), query, this.dimension);
    best.offer(this.#firstId[slot]!, cosine);
    const more = this.#more.size > 0 && this.#more.get(slot);
    if (!more) return 1;
    for (const id of more) best.offer(id, cosine);
    return 1 + more.length;
  }

  #assign(id: number, slot: number): void {
    if (this.#firstId[slot] === NO_ID) {
      this.#firstId[slot] = id;
      this.#tombstones -= 1;
    } else {
      this.#more.set(slot, [...(this.#more.get(slot) ?? []), id]);
    }
    this.#slotOf.set(id, slot);
  }

  #addSlot(unit: Float32Array): number {
    const level = Math.floor(-Math.log(1 - this.#rng.uniform()) / Math.log(this.#degree));
    return this.#enter(this.#graph.add(unit, level, this.#efConstruction), unit);
  }

  /** A new slot counts as a tombstone until it is assigned. */
  #enter(slot: number, unit: Float32Array): number {
    if (slot >= this.#firstId.length) {
      const longer = new Float64Array(this.#firstId.length * 2);
      longer.set(this.#firstId);
      this.#firstId = longer;
    }
    this.#firstId[slot] = NO_ID;
    this.#tombstones += 1;
    const hash = hashOf(unit);
    const known = this.#slotsByHash.get(hash);
    this.#slotsByHash.set(hash, known === undefined ? slot : [known, slot].flat());
    return slot;
  }

  #equalSlot(unit: Float32Array): number | undefined {
    const known = this.#slotsByHash.get(hashOf(unit));
    if (known === undefined) return undefined;
    return [known].flat().find((slot) => {
      const row = this.#graph.row(slot);
      return unit.every((value, i) => row[i] === value);
    });
  }

  #rebuild(): void {
    const [old, firstId] = [this.#graph, this.#firstId];
    const more = new Map(this.#more);
    this.#graph = new HnswGraph(this.dimension, this.#degree);
    this.#firstId = new Float64Array(Math.max(16, old.size));
    this.#more.clear();
    this.#slotsByHash.clear();
    this.#tombstones = 0;
    for (let slot = 0; slot < old.size; slot++) {
      if (firstId[slot] === NO_ID) continue;
      const moved = this.#addSlot(old.row(slot).slice());
      for (const id of [firstId[slot]!, ...(more.get(slot) ?? [])]) this.#assign(id, moved);
    }
  }
}

/** 64 up to 10⁴ slots, rising with the logarithm of their number to 112 at 10⁵ and beyond. */
function defaultEf(size: number): number {
  const decades = Math.log10(Math.max(size, 1)) - 4;
  return 64 + Math.round(48 * Math.min(1, Math.max(0, decades)));
}

/** A 32-bit hash of the bits of a vector (FNV-1a over words, with a final mix). */
function hashOf(vector: Float32Array): number {
  const words = new Int32Array(vector.buffer, vector.byteOffset, vector.length);
  let hash = 0x811c9dc5;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

import { SlotHeap } from './binary-heap.js';
import { diverseNeighbours, dotRows } from './diverse-neighbours.js';
import { dotRow } from './vector-index.js';

/** Slots that a search takes down from one layer to the next: one alone may lie in the wrong cluster. */
const ENTRIES = 32;
/** Lists that name a slot before a cut may drop it, as long as the list has another one to drop. */
const LEAST_NAMED = 8;
/** Fields of a list's first number, 10 bits each: neighbours; those of them, the first ones, that are kept; lists that name the slot. */
const FIELD = 0x3ff;
const KEPT = 10;
const NAMED = 20;
/** Largest `degree`: twice as many neighbours are counted in a field. */
export const LARGEST_DEGREE = FIELD >> 1;

/**
 * Neighbour lists per layer over slots 0…size−1, and the searches on them. Similarity is the dot product of unit rows.
 *
 * Lists are cut to the neighbours that lie in different directions (Malkov and Yashunin 2016, algorithm 4), which drops
 * links to newcomers among many near-duplicates until nothing leads there. So every slot but the first of a layer has a
 * kept link with the nearest slot that has room for one, in both directions, which no cut drops: these links form a
 * tree, and every slot can be reached from every other. Slots that few lists name are cut last: a search finds what is
 * near by several ways or by luck.
 */
export class HnswGraph {
  /** `[capacity, dimension]`, unit rows. */
  rows: Float32Array;
  size = 0;
  entry = -1;
  topLayer = -1;
  /** Per slot of layer 0: the numbers of neighbours and of kept ones, then the neighbours. */
  #base: Int32Array;
  /** Per slot with a higher level: the same for layers 1, 2, … */
  readonly #upper = new Map<number, Int32Array>();
  #visited: Int32Array;
  #stamp = 0;
  readonly #candidates = new SlotHeap(256);
  readonly #found = new SlotHeap(256);
  readonly #baseDegree: number;

  constructor(
    readonly dimension: number,
    readonly degree: number,
    capacity: number,
  ) {
    this.#baseDegree = 2 * degree;
    this.rows = new Float32Array(capacity * dimension);
    this.#base = new Int32Array(capacity * (this.#baseDegree + 1));
    this.#visited = new Int32Array(capacity);
  }

  /** Adds a slot with a unit vector and links it. */
  add(vector: ArrayLike<number>, level: number, efConstruction: number): number {
    if (this.size === this.#visited.length) this.#grow();
    const slot = this.size++;
    const d = this.dimension;
    this.rows.set(vector, slot * d);
    if (level > 0) this.#upper.set(slot, new Int32Array(level * (this.degree + 1)));
    if (this.entry < 0) {
      this.entry = slot;
      this.topLayer = level;
      return slot;
    }
    const query = Float64Array.from(this.rows.subarray(slot * d, (slot + 1) * d));
    let near = this.#startsAbove(query, level);
    for (let layer = Math.min(level, this.topLayer); layer >= 0; layer--) {
      this.#collect(query, near, efConstruction, layer);
      const { slots, similarities } = this.#drain();
      this.#link(slot, layer, slots, similarities);
      near = slots.slice(0, ENTRIES);
    }
    if (level > this.topLayer) {
      this.topLayer = level;
      this.entry = slot;
    }
    return slot;
  }

  /** The `ef` slots found closest to a unit query, best first. */
  search(query: Float64Array, ef: number): { slots: number[]; similarities: number[] } {
    if (this.entry < 0) return { slots: [], similarities: [] };
    this.#collect(query, this.#startsAbove(query, 0), ef, 0);
    return this.#drain();
  }

  /** Slots that no path of links leads to from where searches begin. */
  unreachable(): number[] {
    const reached = new Uint8Array(this.size);
    const open = this.entry < 0 ? [] : [this.entry];
    if (this.entry >= 0) reached[this.entry] = 1;
    for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
      for (let layer = this.#levelOf(slot); layer >= 0; layer--) {
        for (const neighbour of this.neighbours(slot, layer)) {
          if (neighbour >= this.size || reached[neighbour] === 1) continue;
          reached[neighbour] = 1;
          open.push(neighbour);
        }
      }
    }
    return [...reached.keys()].filter((slot) => reached[slot] === 0);
  }

  /** Neighbours of a slot in a layer. */
  neighbours(slot: number, layer: number): Int32Array {
    const list = this.#list(slot, layer);
    const at = this.#offset(slot, layer);
    return list.subarray(at + 1, at + 1 + (list[at]! & FIELD));
  }

  /** Where a search of a layer starts: the closest slots found in the one above it. */
  #startsAbove(query: Float64Array, layer: number): number[] {
    const near = [this.#descend(query, this.topLayer, layer + 1)];
    if (layer >= this.topLayer) return near;
    this.#collect(query, near, ENTRIES, layer + 1);
    return this.#drain().slots;
  }

  /** Walks greedily from the top down to just above `layer`. */
  #descend(query: Float64Array, from: number, layer: number): number {
    const d = this.dimension;
    let best = this.entry;
    let similarity = dotRow(this.rows, best * d, query, d);
    for (let at = from; at > layer; at--) {
      for (let moved = true; moved; ) {
        moved = false;
        for (const neighbour of this.neighbours(best, at)) {
          const value = dotRow(this.rows, neighbour * d, query, d);
          if (value <= similarity) continue;
          similarity = value;
          best = neighbour;
          moved = true;
        }
      }
    }
    return best;
  }

  /** Best-first search in one layer; leaves the `ef` best in `#found`, worst on top. */
  #collect(query: Float64Array, starts: readonly number[], ef: number, layer: number): void {
    const d = this.dimension;
    const [candidates, found, visited, rows] = [this.#candidates, this.#found, this.#visited, this.rows];
    const stamp = this.#nextStamp();
    candidates.size = 0;
    found.size = 0;
    for (const start of starts) {
      const similarity = dotRow(rows, start * d, query, d);
      candidates.push(similarity, start);
      if (found.size < ef) found.push(-similarity, start);
      else if (similarity > -found.keys[0]!) found.replaceTop(-similarity, start);
      visited[start] = stamp;
    }
    while (candidates.size > 0) {
      if (found.size >= ef && candidates.keys[0]! < -found.keys[0]!) break;
      const slot = candidates.pop();
      const list = this.#list(slot, layer);
      const at = this.#offset(slot, layer);
      const end = at + (list[at]! & FIELD);
      for (let i = at + 1; i <= end; i++) {
        const neighbour = list[i]!;
        if (visited[neighbour] === stamp) continue;
        visited[neighbour] = stamp;
        const value = dotRow(rows, neighbour * d, query, d);
        if (found.size < ef) found.push(-value, neighbour);
        else if (value > -found.keys[0]!) found.replaceTop(-value, neighbour);
        else continue;
        candidates.push(value, neighbour);
      }
    }
  }

  /** Empties `#found`, best first. */
  #drain(): { slots: number[]; similarities: number[] } {
    const count = this.#found.size;
    const slots = new Array<number>(count);
    const similarities = new Array<number>(count);
    for (let i = count - 1; i >= 0; i--) {
      similarities[i] = -this.#found.keys[0]!;
      slots[i] = this.#found.pop();
    }
    return { slots, similarities };
  }

  /** Links a new slot of a layer with some of its candidates, best first, and those with it; one of the links is kept. */
  #link(slot: number, layer: number, slots: readonly number[], similarities: readonly number[]): void {
    const most = this.#most(layer);
    const has = (limit: number) => slots.find((other) => this.#kept(other, layer) < limit);
    const parent = has(most / 2) ?? has(most);
    const chosen = diverseNeighbours(this, [], slots, similarities, this.degree).filter(
      (other) => other !== parent,
    );
    const first = parent === undefined ? [] : [parent];
    const own = [...first, ...chosen.slice(0, this.degree - first.length)];
    this.#setNeighbours(slot, layer, own, first.length);
    for (const neighbour of own) {
      this.#countNamed(neighbour, layer, 1);
      this.#linkBack(neighbour, slot, layer, neighbour === parent);
    }
  }

  #linkBack(slot: number, neighbour: number, layer: number, isKept: boolean): void {
    const own = [...this.neighbours(slot, layer)];
    const kept = own.slice(0, this.#kept(slot, layer));
    let rest = own.slice(kept.length);
    (isKept ? kept : rest).push(neighbour);
    this.#countNamed(neighbour, layer, 1);
    if (own.length === this.#most(layer)) {
      const dropped = this.#leastNeeded(slot, layer, kept, rest);
      this.#countNamed(dropped, layer, -1);
      rest = rest.filter((other) => other !== dropped);
    }
    this.#setNeighbours(slot, layer, [...kept, ...rest], kept.length);
  }

  /** The neighbour that a full list loses, of those that are not kept. */
  #leastNeeded(slot: number, layer: number, kept: readonly number[], rest: readonly number[]): number {
    const d = this.dimension;
    const pool = rest
      .map((other) => ({ other, similarity: dotRows(this.rows, slot * d, other * d, d) }))
      .sort((a, b) => b.similarity - a.similarity);
    const slots = pool.map(({ other }) => other);
    const similarities = pool.map(({ similarity }) => similarity);
    const ranked = diverseNeighbours(this, kept, slots, similarities, this.#most(layer)).slice(kept.length);
    const last = slots.find((other) => !ranked.includes(other))!;
    const named = (other: number) => this.#header(other, layer) >>> NAMED;
    return [last, ...ranked.reverse()].find((other) => named(other) > LEAST_NAMED) ?? last;
  }

  #setNeighbours(slot: number, layer: number, neighbours: readonly number[], kept: number): void {
    const list = this.#list(slot, layer);
    const at = this.#offset(slot, layer);
    list[at] = ((list[at]! >>> NAMED) << NAMED) | (kept << KEPT) | neighbours.length;
    for (let i = 0; i < neighbours.length; i++) list[at + 1 + i] = neighbours[i]!;
  }

  /** Counts the lists that name a slot; what has filled its field is many for good. */
  #countNamed(slot: number, layer: number, change: 1 | -1): void {
    if (this.#header(slot, layer) >>> NAMED === FIELD) return;
    this.#list(slot, layer)[this.#offset(slot, layer)]! += change << NAMED;
  }

  #header(slot: number, layer: number): number {
    return this.#list(slot, layer)[this.#offset(slot, layer)]!;
  }

  /** Number of a slot's links in a layer that no cut drops. */
  #kept(slot: number, layer: number): number {
    return (this.#header(slot, layer) >>> KEPT) & FIELD;
  }

  #most(layer: number): number {
    return layer === 0 ? this.#baseDegree : this.degree;
  }

  #levelOf(slot: number): number {
    return (this.#upper.get(slot)?.length ?? 0) / (this.degree + 1);
  }

  #list(slot: number, layer: number): Int32Array {
    return layer === 0 ? this.#base : this.#upper.get(slot)!;
  }

  #offset(slot: number, layer: number): number {
    return layer === 0 ? slot * (this.#baseDegree + 1) : (layer - 1) * (this.degree + 1);
  }

  #nextStamp(): number {
    if (this.#stamp === 0x7fffffff) {
      this.#visited.fill(0);
      this.#stamp = 0;
    }
    this.#stamp += 1;
    return this.#stamp;
  }

  #grow(): void {
    const bigger = <T extends Float32Array | Int32Array>(old: T): T => {
      const copy = new (old.constructor as new (size: number) => T)(old.length * 2);
      copy.set(old);
      return copy;
    };
    this.rows = bigger(this.rows);
    this.#base = bigger(this.#base);
    this.#visited = bigger(this.#visited);
  }
}

import { SlotHeap } from './binary-heap.js';
import { dotRow } from './vector-index.js';

/** Neighbour lists per layer over slots 0…size−1, and the searches on them. Similarity is the dot product of unit rows. */
export class HnswGraph {
  /** `[capacity, dimension]`, unit rows. */
  rows: Float32Array;
  size = 0;
  entry = -1;
  topLayer = -1;
  /** Per slot of layer 0: number of neighbours, then the neighbours. */
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
    let near = this.#descend(query, this.topLayer, level);
    for (let layer = Math.min(level, this.topLayer); layer >= 0; layer--) {
      this.#collect(query, near, efConstruction, layer);
      const { slots, similarities } = this.#drain();
      const chosen = this.#choose(slots, similarities, this.degree);
      this.#setNeighbours(slot, layer, chosen);
      for (const neighbour of chosen) this.#linkBack(neighbour, slot, layer);
      near = slots[0]!;
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
    this.#collect(query, this.#descend(query, this.topLayer, 0), ef, 0);
    return this.#drain();
  }

  /** Neighbours of a slot in a layer. */
  neighbours(slot: number, layer: number): Int32Array {
    const list = this.#list(slot, layer);
    const at = this.#offset(slot, layer);
    return list.subarray(at + 1, at + 1 + list[at]!);
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
  #collect(query: Float64Array, start: number, ef: number, layer: number): void {
    const d = this.dimension;
    const [candidates, found, visited, rows] = [this.#candidates, this.#found, this.#visited, this.rows];
    const stamp = this.#nextStamp();
    candidates.size = 0;
    found.size = 0;
    const similarity = dotRow(rows, start * d, query, d);
    candidates.push(similarity, start);
    found.push(-similarity, start);
    visited[start] = stamp;
    while (candidates.size > 0) {
      if (found.size >= ef && candidates.keys[0]! < -found.keys[0]!) break;
      const slot = candidates.pop();
      const list = this.#list(slot, layer);
      const at = this.#offset(slot, layer);
      const end = at + list[at]!;
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

  /**
   * Keeps a candidate only if it is closer to the base than to every neighbour kept before it, then fills up with the
   * closest of the rest. Candidates come best first.
   */
  #choose(slots: readonly number[], similarities: readonly number[], most: number): number[] {
    if (slots.length <= most) return [...slots];
    const d = this.dimension;
    const kept: number[] = [];
    const passedOver: number[] = [];
    for (let i = 0; i < slots.length && kept.length < most; i++) {
      const row = slots[i]! * d;
      let diverse = true;
      for (let j = 0; j < kept.length && diverse; j++) {
        diverse = similarities[i]! > dotRows(this.rows, row, kept[j]! * d, d);
      }
      (diverse ? kept : passedOver).push(slots[i]!);
    }
    for (let i = 0; i < passedOver.length && kept.length < most; i++) kept.push(passedOver[i]!);
    return kept;
  }

  #linkBack(slot: number, neighbour: number, layer: number): void {
    const list = this.#list(slot, layer);
    const at = this.#offset(slot, layer);
    const most = layer === 0 ? this.#baseDegree : this.degree;
    const count = list[at]!;
    if (count < most) {
      list[at + 1 + count] = neighbour;
      list[at] = count + 1;
      return;
    }
    const d = this.dimension;
    const pool = [...list.subarray(at + 1, at + 1 + count), neighbour]
      .map((other) => ({ other, similarity: dotRows(this.rows, slot * d, other * d, d) }))
      .sort((a, b) => b.similarity - a.similarity);
    const chosen = this.#choose(
      pool.map(({ other }) => other),
      pool.map(({ similarity }) => similarity),
      most,
    );
    this.#setNeighbours(slot, layer, chosen);
  }

  #setNeighbours(slot: number, layer: number, neighbours: readonly number[]): void {
    const list = this.#list(slot, layer);
    const at = this.#offset(slot, layer);
    list[at] = neighbours.length;
    for (let i = 0; i < neighbours.length; i++) list[at + 1 + i] = neighbours[i]!;
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

function dotRows(rows: Float32Array, a: number, b: number, d: number): number {
  let [first, second] = [0, 0];
  const whole = d & ~1;
  let i = 0;
  for (; i < whole; i += 2) {
    first += rows[a + i]! * rows[b + i]!;
    second += rows[a + i + 1]! * rows[b + i + 1]!;
  }
  if (i < d) first += rows[a + i]! * rows[b + i]!;
  return first + second;
}

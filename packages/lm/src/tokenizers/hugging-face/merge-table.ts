const EMPTY = -1;

/** Which pairs of ids are merged, how early, and into which id: a hash table over typed arrays, for millions of look-ups. */
export class MergeTable {
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #result: Int32Array;
  readonly #mask: number;

  /** @param count how many pairs will be set at most. */
  constructor(count: number) {
    const slots = 2 ** Math.ceil(Math.log2(2 * count + 2));
    this.#mask = slots - 1;
    this.#left = new Int32Array(slots).fill(EMPTY);
    this.#right = new Int32Array(slots);
    this.#rank = new Int32Array(slots);
    this.#result = new Int32Array(count);
  }

  /** Sets the merge of a rank; one that names the same pair again takes its place. */
  set(left: number, right: number, rank: number, result: number): void {
    const slot = this.#slotOf(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#rank[slot] = rank;
    this.#result[rank] = result;
  }

  /** The rank of a pair, or -1. */
  rankOf(left: number, right: number): number {
    const slot = this.#slotOf(left, right);
    return this.#left[slot] === EMPTY ? -1 : this.#rank[slot]!;
  }

  /** The id that the merge of a rank makes. */
  resultOf(rank: number): number {
    return this.#result[rank]!;
  }

  /** Where a pair is, or the free place where it would be. */
  #slotOf(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & this.#mask;
    while (this.#left[slot] !== EMPTY && (this.#left[slot] !== left || this.#right[slot] !== right)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}

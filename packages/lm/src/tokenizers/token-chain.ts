const REMOVED = -1;
const NONE = -1;

/** A pair of ids as one number; ids stay below 2^21. */
export function pairKey(left: number, right: number): number {
  return left * 2 ** 21 + right;
}

/** The ids of a pair. */
export function pairOf(key: number): readonly [left: number, right: number] {
  const right = key % 2 ** 21;
  return [(key - right) / 2 ** 21, right];
}

/**
 * A list of token ids in which neighbouring pairs are merged: a linked list with an index from each pair to the places
 * where it was seen, so that a merge costs as much as it has occurrences and not a pass over the text.
 *
 * The places of a pair are listed from left to right. A pair comes into being when the later of its two ids is made,
 * that is within one merge, and a merge walks from left to right.
 */
export class TokenChain {
  readonly #ids: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #places = new Map<number, number[]>();
  readonly #onChange: ((key: number, change: 1 | -1) => void) | undefined;

  /**
   * @param texts sequences of ids; no pair spans two of them.
   * @param onChange told of every pair that appears (+1) or disappears (-1), the first ones included.
   */
  constructor(texts: readonly ArrayLike<number>[], onChange?: (key: number, change: 1 | -1) => void) {
    const length = texts.reduce((total, text) => total + text.length, 0);
    this.#ids = new Int32Array(length);
    this.#next = new Int32Array(length).fill(NONE);
    this.#previous = new Int32Array(length).fill(NONE);
    this.#onChange = onChange;
    let start = 0;
    for (const text of texts) {
      this.#ids.set(text, start);
      for (let i = start; i + 1 < start + text.length; i++) {
        this.#next[i] = i + 1;
        this.#previous[i + 1] = i;
        this.#appear(i);
      }
      start += text.length;
    }
  }

  /** Replaces every occurrence of a pair, from left to right without overlap, by one id. */
  merge(left: number, right: number, merged: number): void {
    const key = pairKey(left, right);
    const places = this.#places.get(key);
    if (!places) return;
    this.#places.delete(key);
    for (const place of places) {
      const partner = this.#next[place]!;
      if (this.#ids[place] !== left || partner === NONE || this.#ids[partner] !== right) continue;
      this.#mergeAt(place, partner, merged);
    }
  }

  /** The ids as they stand. */
  ids(): Int32Array {
    return this.#ids.filter((id) => id !== REMOVED);
  }

  #mergeAt(place: number, partner: number, merged: number): void {
    const before = this.#previous[place]!;
    const after = this.#next[partner]!;
    if (before !== NONE) this.#disappear(before);
    this.#disappear(place);
    if (after !== NONE) this.#disappear(partner);
    this.#ids[place] = merged;
    this.#ids[partner] = REMOVED;
    this.#next[place] = after;
    if (after !== NONE) this.#previous[after] = place;
    if (before !== NONE) this.#appear(before);
    if (after !== NONE) this.#appear(place);
  }

  #keyAt(place: number): number {
    return pairKey(this.#ids[place]!, this.#ids[this.#next[place]!]!);
  }

  #appear(place: number): void {
    const key = this.#keyAt(place);
    const places = this.#places.get(key);
    if (places) places.push(place);
    else this.#places.set(key, [place]);
    this.#onChange?.(key, 1);
  }

  #disappear(place: number): void {
    this.#onChange?.(this.#keyAt(place), -1);
  }
}

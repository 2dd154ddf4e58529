const PLACES = 2 ** 32;

/** Merges waiting to be done: the smallest rank first, of equal ranks the leftmost place. A binary heap of packed numbers. */
export class MergeQueue {
  #items = new Float64Array(64);
  #size = 0;
  /** Rank and place of the merge that `pop` took out. */
  rank = 0;
  place = 0;

  clear(): void {
    this.#size = 0;
  }

  push(rank: number, place: number): void {
    const key = rank * PLACES + place;
    if (this.#size === this.#items.length) this.#grow();
    const items = this.#items;
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= key) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = key;
  }

  /** Takes the first merge out and puts it into `rank` and `place`; false when there is none. */
  pop(): boolean {
    if (this.#size === 0) return false;
    const items = this.#items;
    const key = items[0]!;
    this.rank = Math.floor(key / PLACES);
    this.place = key - this.rank * PLACES;
    this.#size -= 1;
    this.#sink(items[this.#size]!);
    return true;
  }

  #sink(last: number): void {
    const items = this.#items;
    const size = this.#size;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && items[child + 1]! < items[child]!) child += 1;
      if (last <= items[child]!) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#items.length);
    larger.set(this.#items);
    this.#items = larger;
  }
}

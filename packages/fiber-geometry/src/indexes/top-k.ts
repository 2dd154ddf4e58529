import type { SearchHit } from './vector-index.js';

/** Keeps the k best of a stream of hits, ordered by falling cosine and then rising id. */
export class TopK {
  // Plain lists: memory for two typed arrays costs more than all else of a short search.
  readonly #ids: number[] = [];
  readonly #cosines: number[] = [];

  constructor(private readonly k: number) {}

  /** The cosine that a further hit has to reach; −∞ while there is room. */
  get threshold(): number {
    return this.#ids.length < this.k ? Number.NEGATIVE_INFINITY : this.#cosines[this.k - 1]!;
  }

  offer(id: number, cosine: number): void {
    const full = this.#ids.length === this.k;
    if (full && !this.#before(id, cosine, this.k - 1)) return;
    let at = full ? this.k - 1 : this.#ids.length;
    for (; at > 0 && this.#before(id, cosine, at - 1); at--) {
      this.#ids[at] = this.#ids[at - 1]!;
      this.#cosines[at] = this.#cosines[at - 1]!;
    }
    this.#ids[at] = id;
    this.#cosines[at] = cosine;
  }

  hits(): SearchHit[] {
    return this.#ids.map((id, i) => ({ id, cosine: this.#cosines[i]! }));
  }

  #before(id: number, cosine: number, at: number): boolean {
    const other = this.#cosines[at]!;
    return cosine > other || (cosine === other && id < this.#ids[at]!);
  }
}

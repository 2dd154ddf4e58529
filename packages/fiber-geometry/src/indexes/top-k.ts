import type { SearchHit } from './vector-index.js';

/** Keeps the k best of a stream of hits, ordered by falling cosine and then rising id. */
export class TopK {
  readonly #ids: Float64Array;
  readonly #cosines: Float64Array;
  #count = 0;

  constructor(private readonly k: number) {
    this.#ids = new Float64Array(k);
    this.#cosines = new Float64Array(k);
  }

  /** The cosine that a further hit has to reach; −∞ while there is room. */
  get threshold(): number {
    return this.#count < this.k ? Number.NEGATIVE_INFINITY : this.#cosines[this.k - 1]!;
  }

  offer(id: number, cosine: number): void {
    const full = this.#count === this.k;
    if (full && !this.#before(id, cosine, this.k - 1)) return;
    let at = full ? this.k - 1 : this.#count++;
    for (; at > 0 && this.#before(id, cosine, at - 1); at--) {
      this.#ids[at] = this.#ids[at - 1]!;
      this.#cosines[at] = this.#cosines[at - 1]!;
    }
    this.#ids[at] = id;
    this.#cosines[at] = cosine;
  }

  hits(): SearchHit[] {
    const hits: SearchHit[] = [];
    for (let i = 0; i < this.#count; i++) hits.push({ id: this.#ids[i]!, cosine: this.#cosines[i]! });
    return hits;
  }

  #before(id: number, cosine: number, at: number): boolean {
    const other = this.#cosines[at]!;
    return cosine > other || (cosine === other && id < this.#ids[at]!);
  }
}

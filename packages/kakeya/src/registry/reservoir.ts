import { Random } from '../linalg/random.js';

/** A uniform sample of a stream, of fixed size (Vitter's algorithm R), from a seeded generator. */
export class Reservoir<T> {
  readonly capacity: number;
  readonly items: T[] = [];
  #seen = 0;
  #random: Random;

  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.#random = new Random(seed);
  }

  /** Items offered so far. */
  get seen(): number {
    return this.#seen;
  }

  offer(item: T): void {
    this.#seen++;
    if (this.items.length < this.capacity) {
      this.items.push(item);
      return;
    }
    const place = this.#random.integer(this.#seen);
    if (place < this.capacity) this.items[place] = item;
  }

  clear(): void {
    this.items.length = 0;
    this.#seen = 0;
  }

  /** Position in the stream, for saving beside the items. */
  position(): { seen: number; random: number[] } {
    return { seen: this.#seen, random: this.#random.state() };
  }

  restore(items: readonly T[], position: { seen: number; random: readonly number[] }): void {
    // One by one: as arguments of one call, a large sample overflows the stack.
    this.items.length = 0;
    for (const item of items) this.items.push(item);
    this.#seen = position.seen;
    this.#random = Random.fromState(position.random);
  }
}

/** A map that keeps its most recently used entries only. */
export class LruCache<K, V> {
  readonly #entries = new Map<K, V>();
  #limit: number;

  /** @param limit number of entries, at least 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#trim();
  }

  resize(limit: number): void {
    this.#limit = limit;
    this.#trim();
  }

  #trim(): void {
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) return;
      this.#entries.delete(key);
    }
  }
}

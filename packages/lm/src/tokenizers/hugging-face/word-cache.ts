/** Words kept at most; then the cache begins anew, so that a text of ever new words does not fill the memory. */
const ENTRIES = 20_000;
/** Longer words hardly come again. */
const LONGEST = 256;

/** Remembers the ids of words that were encoded lately. */
export class WordCache {
  readonly #known = new Map<string, readonly number[]>();

  get(word: string, encode: () => readonly number[]): readonly number[] {
    const known = this.#known.get(word);
    if (known) return known;
    const ids = encode();
    if (word.length > LONGEST) return ids;
    if (this.#known.size >= ENTRIES) this.#known.clear();
    this.#known.set(word, ids);
    return ids;
  }
}

import { wordsOf } from '../text/content-words.js';

/** Okapi BM25 (Robertson et al. 1994) with k1 = 1.2 and b = 0.75. */
const K1 = 1.2;
const B = 0.75;

/** Words of texts and how often they occur, for scores by words alone. */
export class Bm25 {
  readonly #postings = new Map<string, Map<number, number>>();
  readonly #lengths = new Map<number, number>();
  #total = 0;

  get size(): number {
    return this.#lengths.size;
  }

  add(id: number, text: string): void {
    this.remove(id);
    const words = wordsOf(text);
    this.#lengths.set(id, words.length);
    this.#total += words.length;
    for (const { word } of words) {
      const posting = this.#postings.get(word) ?? new Map<number, number>();
      posting.set(id, (posting.get(id) ?? 0) + 1);
      this.#postings.set(word, posting);
    }
  }

  remove(id: number): void {
    const length = this.#lengths.get(id);
    if (length === undefined) return;
    this.#lengths.delete(id);
    this.#total -= length;
    for (const [word, posting] of this.#postings) {
      if (posting.delete(id) && posting.size === 0) this.#postings.delete(word);
    }
  }

  /**
   * Σ over the words of the query, repeats counted, of ln(1 + (N − df + 0.5)/(df + 0.5)) · tf · 2.2 / (tf + 1.2 (0.25 + 0.75 len / mean)).
   * @returns scores of the texts that share a word with the query
   */
  scores(query: string): Map<number, number> {
    const scores = new Map<number, number>();
    const mean = this.#total / Math.max(this.size, 1);
    for (const { word } of wordsOf(query)) {
      const posting = this.#postings.get(word);
      if (!posting) continue;
      const rarity = Math.log(1 + (this.size - posting.size + 0.5) / (posting.size + 0.5));
      for (const [id, count] of posting) {
        const damping = K1 * (1 - B + (B * this.#lengths.get(id)!) / mean);
        scores.set(id, (scores.get(id) ?? 0) + (rarity * count * (K1 + 1)) / (count + damping));
      }
    }
    return scores;
  }
}

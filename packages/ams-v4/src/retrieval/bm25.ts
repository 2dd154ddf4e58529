import { wordsOf } from '../text/content-words.js';

export interface Bm25Options {
  /** How soon more of a word counts no more. Default 1.2. */
  readonly k1?: number;
  /** How much long texts are held back, from 0 to 1. Default 0.75. */
  readonly b?: number;
  /** Words of a text. Default: runs of letters and digits of two characters or more, and numbers. */
  readonly words?: (text: string) => readonly string[];
}

const plainWords = (text: string): string[] => wordsOf(text).map(({ word }) => word);

/** A word, and how often each text has it. */
interface Posting {
  readonly word: string;
  readonly counts: Map<number, number>;
}

/** Words of texts and how often they occur, for scores by words alone: Okapi BM25 (Robertson et al. 1994). */
export class Bm25 {
  readonly #k1: number;
  readonly #b: number;
  readonly #wordsOf: (text: string) => readonly string[];
  readonly #postings = new Map<string, Posting>();
  /** Words of a text, repeats counted, and where each of them is noted: what goes out looks at nothing else. */
  readonly #texts = new Map<number, { readonly length: number; readonly postings: readonly Posting[] }>();
  #total = 0;

  constructor({ k1 = 1.2, b = 0.75, words = plainWords }: Bm25Options = {}) {
    this.#k1 = k1;
    this.#b = b;
    this.#wordsOf = words;
  }

  get size(): number {
    return this.#texts.size;
  }

  add(id: number, text: string): void {
    this.remove(id);
    const words = this.#wordsOf(text);
    const postings = new Set<Posting>();
    for (const word of words) {
      const posting = this.#postings.get(word) ?? { word, counts: new Map<number, number>() };
      posting.counts.set(id, (posting.counts.get(id) ?? 0) + 1);
      this.#postings.set(word, posting);
      postings.add(posting);
    }
    this.#texts.set(id, { length: words.length, postings: [...postings] });
    this.#total += words.length;
  }

  remove(id: number): void {
    const text = this.#texts.get(id);
    if (!text) return;
    this.#texts.delete(id);
    this.#total -= text.length;
    for (const { word, counts } of text.postings) {
      counts.delete(id);
      if (counts.size === 0) this.#postings.delete(word);
    }
  }

  /**
   * Σ over the words of the query, repeats counted, of ln(1 + (N − df + 0.5)/(df + 0.5)) · tf (k1 + 1) / (tf + k1 (1 − b + b len / mean)).
   * @returns scores of the texts that share a word with the query
   */
  scores(query: string): Map<number, number> {
    const scores = new Map<number, number>();
    const mean = this.#total / Math.max(this.size, 1);
    for (const word of this.#wordsOf(query)) {
      const counts = this.#postings.get(word)?.counts;
      if (!counts) continue;
      const rarity = Math.log(1 + (this.size - counts.size + 0.5) / (counts.size + 0.5));
      for (const [id, count] of counts) {
        const damping = this.#k1 * (1 - this.#b + (this.#b * this.#texts.get(id)!.length) / mean);
        scores.set(id, (scores.get(id) ?? 0) + (rarity * count * (this.#k1 + 1)) / (count + damping));
      }
    }
    return scores;
  }
}

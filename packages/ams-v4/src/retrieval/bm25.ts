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

/** Sums of bounds are larger than those of scores but for rounding. */
const ROOM = 1 + 1e-9;

/** A word, and how often each text has it. */
interface Posting {
  readonly word: string;
  readonly counts: Map<number, number>;
  /** No text has it more often. */
  most: number;
  /** No text that has it has fewer words. */
  shortest: number;
}

/** A word of a query. */
interface QueryWord {
  readonly counts: ReadonlyMap<number, number>;
  /** What it adds to the score of a text that has it so often and is so long. */
  share(count: number, length: number): number;
  /** It adds no more than this to any text. */
  readonly bound: number;
}

/** A text and its score. */
export interface ScoredText {
  readonly id: number;
  readonly score: number;
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
      const posting = this.#postings.get(word) ?? {
        word,
        counts: new Map<number, number>(),
        most: 0,
        shortest: words.length,
      };
      const count = (posting.counts.get(id) ?? 0) + 1;
      posting.counts.set(id, count);
      posting.most = Math.max(posting.most, count);
      posting.shortest = Math.min(posting.shortest, words.length);
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
    for (const { counts, share } of this.#wordsIn(query)) {
      for (const [id, count] of counts) {
        scores.set(id, (scores.get(id) ?? 0) + share(count, this.#texts.get(id)!.length));
      }
    }
    return scores;
  }

  /**
   * The best k texts by their scores, the lower id first among equals. Words are taken from the rarest on, and once all that are left
   * could not lift another text among the best, their texts are not looked at (MaxScore; Turtle and Flood 1995).
   * @param accepts whether a text may be among them
   */
  best(query: string, k: number, accepts: (id: number) => boolean = () => true): ScoredText[] {
    const words = this.#wordsIn(query);
    const rarestFirst = words.toSorted((a, b) => a.counts.size - b.counts.size);
    const seen = new Set<number>();
    const best: ScoredText[] = [];
    for (const [place, { counts }] of rarestFirst.entries()) {
      const left = rarestFirst.slice(place).reduce((sum, { bound }) => sum + bound, 0);
      if (best.length >= k && (best.at(-1)?.score ?? Number.POSITIVE_INFINITY) > ROOM * left) break;
      for (const id of counts.keys()) {
        if (seen.has(id) || !accepts(id)) continue;
        seen.add(id);
        insert(best, { id, score: this.#scoreOf(words, id) }, k);
      }
    }
    return best;
  }

  /** ln(1 + (N − df + 0.5)/(df + 0.5)) of a word of which df texts know. */
  rarity(word: string): number {
    const known = this.#postings.get(word)?.counts.size ?? 0;
    return Math.log(1 + (this.size - known + 0.5) / (known + 0.5));
  }

  /** Scores of texts, 0 for those that share no word with the query. */
  scoresOf(query: string, ids: readonly number[]): number[] {
    const words = this.#wordsIn(query);
    return ids.map((id) => this.#scoreOf(words, id));
  }

  /** The words of a query that texts have, in its order, repeats counted. */
  #wordsIn(query: string): QueryWord[] {
    const mean = this.#total / Math.max(this.size, 1);
    return this.#wordsOf(query).flatMap((word) => {
      const posting = this.#postings.get(word);
      if (!posting) return [];
      const { counts, most, shortest } = posting;
      const rarity = this.rarity(word);
      const share = (count: number, length: number) => {
        const damping = this.#k1 * (1 - this.#b + (this.#b * length) / mean);
        return (rarity * count * (this.#k1 + 1)) / (count + damping);
      };
      return { counts, share, bound: share(most, shortest) };
    });
  }

  #scoreOf(words: readonly QueryWord[], id: number): number {
    const { length } = this.#texts.get(id)!;
    let score = 0;
    for (const { counts, share } of words) {
      const count = counts.get(id);
      if (count !== undefined) score += share(count, length);
    }
    return score;
  }
}

/** Puts a text among the best k, if it is one of them. */
function insert(best: ScoredText[], text: ScoredText, k: number): void {
  let place = best.length;
  while (place > 0 && isBetter(text, best[place - 1]!)) place -= 1;
  if (place >= k) return;
  best.splice(place, 0, text);
  if (best.length > k) best.pop();
}

const isBetter = (one: ScoredText, other: ScoredText): boolean =>
  one.score > other.score || (one.score === other.score && one.id < other.id);

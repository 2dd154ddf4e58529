/** A word of a text: a run of letters and digits, of two characters or a digit at least. */
export interface Word {
  /** Lower case. */
  readonly word: string;
  /** Place of its first character. */
  readonly start: number;
  /** Place behind its last character. */
  readonly end: number;
}

/** Words of a text in order. */
export function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[\p{L}\p{N}]+/gu)]
    .filter(([run]) => [...run].length >= 2 || /^\p{N}+$/u.test(run))
    .map((match) => ({
      word: match[0].toLowerCase(),
      start: match.index,
      end: match.index + match[0].length,
    }));
}

/** How rare words are in a collection of texts: ln((1 + D) / (1 + df)) + 1. */
export class WordRarity {
  readonly #frequencies: ReadonlyMap<string, number>;

  private constructor(
    /** Number of texts, D. */
    readonly texts: number,
    frequencies: Iterable<readonly [string, number]>,
  ) {
    this.#frequencies = new Map(frequencies);
  }

  static of(texts: readonly string[]): WordRarity {
    const frequencies = new Map<string, number>();
    for (const text of texts) {
      for (const word of new Set(wordsOf(text).map(({ word }) => word))) {
        frequencies.set(word, (frequencies.get(word) ?? 0) + 1);
      }
    }
    return new WordRarity(texts.length, frequencies);
  }

  /** A word that occurs nowhere is the rarest. */
  of(word: string): number {
    return Math.log((1 + this.texts) / (1 + (this.#frequencies.get(word) ?? 0))) + 1;
  }

  /** The words that are known, in alphabetical order. */
  words(): string[] {
    return [...this.#frequencies.keys()].sort();
  }

  toJSON(): { texts: number; frequencies: [string, number][] } {
    return { texts: this.texts, frequencies: [...this.#frequencies] };
  }

  static fromJSON({ texts, frequencies }: { texts: number; frequencies: [string, number][] }): WordRarity {
    return new WordRarity(texts, frequencies);
  }
}

/** Words of a text by falling rarity, earlier ones first among equals. */
export const wordsByRarity = (text: string, rarity: WordRarity): Word[] =>
  wordsOf(text).sort((a, b) => rarity.of(b.word) - rarity.of(a.word) || a.start - b.start);

/**
 * Tokens of a text that carry its content: the tokens of the rarest words, in the order of the text. Words are taken whole until there
 * are `count` tokens, so that a long name is never cut.
 * @param spans first and last character of each token, without the blank before it
 * @returns places of tokens, rising
 */
export function contentTokens(
  text: string,
  spans: readonly { readonly start: number; readonly end: number }[],
  rarity: WordRarity,
  count: number,
): number[] {
  const taken = new Set<number>();
  for (const word of wordsByRarity(text, rarity)) {
    if (taken.size >= count) break;
    spans.forEach(({ start, end }, token) => {
      if (start < word.end && end > word.start) taken.add(token);
    });
  }
  return [...taken].sort((a, b) => a - b);
}

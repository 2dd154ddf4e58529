import { type WordRarity, wordsOf } from './content-words.js';

/** A sentence with its rarest word taken out. */
export interface Cloze {
  readonly text: string;
  readonly word: string;
  readonly start: number;
  readonly end: number;
  /** Rarity of the word. */
  readonly idf: number;
  readonly prompt: string;
  /** What shall follow the prompt. */
  readonly target: string;
}

/** What stands in place of the word. */
const GAP = '____';

/** Masks the rarest word of a sentence, the later one of equals; nothing for a sentence without words (DERIVATION.md, "Cloze"). */
export function clozeOf(text: string, rarity: WordRarity): Cloze | undefined {
  const words = wordsOf(text);
  if (words.length === 0) return undefined;
  const masked = words.reduce((best, word) => (rarity.of(word.word) >= rarity.of(best.word) ? word : best));
  const { start, end } = masked;
  const word = text.slice(start, end);
  return {
    text,
    word,
    start,
    end,
    idf: rarity.of(masked.word),
    prompt: `User: ${text.slice(0, start)}${GAP}${text.slice(end)}\nAssistant:`,
    target: ` ${word}`,
  };
}

import type { Corpus } from './corpus.js';
import { generateStories } from './stories.js';

const SENTENCE = "hello world, it's test corpus. ";
const NEEDLE_FILLER = 'needle test string ';
const NEEDLE = ' target phrase ';

/** OSAM's default corpus: one sentence of 31 characters, 20,000 times. 620,000 characters, 17 different ones. */
export function defaultCorpus(repeats = 20_000): Corpus {
  return { name: 'default', documents: [SENTENCE.repeat(repeats)] };
}

export interface NeedleCorpusOptions {
  /** How often the filler of 19 characters stands. Default 8,000. */
  readonly repeats?: number;
  /** A needle follows as soon as this many characters of filler went by. Default 240. */
  readonly every?: number;
}

/**
 * OSAM's needle corpus: a filler with a target phrase at regular distances. With the defaults 161,225 characters, 13
 * different ones, the first needle at offset 247 and the next ones 262 characters apart.
 */
export function needleCorpus(options: NeedleCorpusOptions = {}): Corpus {
  const { repeats = 8_000, every = 240 } = options;
  const pieces: string[] = [];
  let since = 0;
  for (let i = 0; i < repeats; i++) {
    pieces.push(NEEDLE_FILLER);
    since += NEEDLE_FILLER.length;
    if (since < every) continue;
    pieces.push(NEEDLE);
    since = 0;
  }
  return { name: 'needle', documents: [pieces.join('')] };
}

/** The corpora that need no file, by name. */
export const builtInCorpora: Readonly<Record<string, () => Corpus>> = {
  stories: () => generateStories(),
  default: () => defaultCorpus(),
  needle: () => needleCorpus(),
};

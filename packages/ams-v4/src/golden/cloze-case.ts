import type { GoldenHandler } from '@palimpsest/base/golden';
import { clozeOf } from '../text/cloze.js';
import { WordRarity, wordsByRarity } from '../text/content-words.js';

/** Content words of a memory in this case. */
const CONTENT_WORDS = 4;

/** Rarity of words, the masked word of every sentence with prompt and target, and content words. */
export const clozeCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'v47-cloze',
  expects: ['D', 'idf', 'unseenIdf', 'cloze', 'contentWords'],
  given: ['idf/*'],
  run: (testCase) => {
    const documents = testCase.member<string[]>('documents', []);
    const rarity = WordRarity.of(documents);
    const listed = Object.keys(testCase.member<Record<string, number>>('idf', {}));
    return {
      D: rarity.texts,
      idf: Object.fromEntries(listed.map((word) => [word, rarity.of(word)])),
      unseenIdf: rarity.of('a word that nobody wrote'),
      cloze: documents.map((text) => {
        const cloze = clozeOf(text, rarity);
        return cloze ? { ...cloze } : null;
      }),
      contentWords: documents.map((text) =>
        wordsByRarity(text, rarity)
          .slice(0, CONTENT_WORDS)
          .sort((a, b) => a.start - b.start)
          .map(({ word }) => word),
      ),
    };
  },
};

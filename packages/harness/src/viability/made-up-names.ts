import { capitalised } from './entity-pool.js';
import { isListed, namedOwner, type Pack, type Subject } from './pack.js';
import type { SessionRandom } from './session-random.js';

const CONSONANTS = 'bdfgklmnprstvz';
const VOWELS = 'aeiou';
const SHAPE = 'cvccvc';
const MILLED = new RegExp(
  `^${[...SHAPE].map((letter) => `[${letter === 'c' ? CONSONANTS : VOWELS}]`).join('')}$`,
  'i',
);

/** Whether a word is of the form of those that a `WordMill` makes, whatever its seed. */
export const isMilled = (word: string): boolean => MILLED.test(word);

/** Draws made-up words of six letters: as all are equally long, none is part of another. */
export class WordMill {
  readonly #made = new Set<string>();

  /** @param taken text in lower case whose words must not be made */
  constructor(
    private readonly taken: string,
    private readonly rng: SessionRandom,
  ) {}

  word(): string {
    for (;;) {
      let word = '';
      for (const letter of SHAPE) word += this.rng.pick([...(letter === 'c' ? CONSONANTS : VOWELS)]);
      if (this.#made.has(word) || this.taken.includes(word)) continue;
      this.#made.add(word);
      return word;
    }
  }

  words(count: number, inCapitals: boolean): string[] {
    return Array.from({ length: count }, () => (inCapitals ? capitalised(this.word()) : this.word()));
  }

  people(count: number, split: 'train' | 'heldOut'): Subject[] {
    return this.words(count, true).map((name) => ({ ...namedOwner(name), split }));
  }

  /** The types of a pack with made-up words in the place of listed ones, so many in each split. */
  types({ entityTypes }: Pack, train: number, heldOut: number): Pack['entityTypes'] {
    const made = Object.entries(entityTypes).map(([name, type]) => {
      if (!isListed(type)) return [name, type] as const;
      const inCapitals = /^\p{Lu}/u.test(type.train[0]!);
      return [
        name,
        { train: this.words(train, inCapitals), heldOut: this.words(heldOut, inCapitals) },
      ] as const;
    });
    return Object.fromEntries(made);
  }
}

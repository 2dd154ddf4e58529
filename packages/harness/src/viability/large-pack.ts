import { capitalised } from './entity-pool.js';
import { isListed, type Pack, type Subject, standardPack } from './pack.js';
import { SessionRandom } from './session-random.js';

/** The name by which a command line asks for this pack. */
export const LARGE_PACK = 'large';

const SEED = 1;
/** People of each split: with the 32 relations of the house 6,400 facts. */
const PEOPLE = 200;
/** Words of each listed type and split. */
const WORDS = 200;

const CONSONANTS = 'bdfgklmnprstvz';
const VOWELS = 'aeiou';
const SHAPE = 'cvccvc';

/** Draws made-up words of six letters: as all are equally long, none is part of another. */
class WordMill {
  readonly #made = new Set<string>();
  readonly #rng = SessionRandom.stream(SEED, 'large pack');

  /** @param taken text whose words must not be made */
  constructor(private readonly taken: string) {}

  word(): string {
    for (;;) {
      let word = '';
      for (const letter of SHAPE) word += this.#rng.pick([...(letter === 'c' ? CONSONANTS : VOWELS)]);
      if (this.#made.has(word) || this.taken.includes(word)) continue;
      this.#made.add(word);
      return word;
    }
  }

  words(count: number, inCapitals: boolean): string[] {
    return Array.from({ length: count }, () => (inCapitals ? capitalised(this.word()) : this.word()));
  }
}

const person = (name: string, split: 'train' | 'heldOut'): Subject => {
  const owner = `${name}'s`;
  return { id: name.toLowerCase(), fact: owner, query: owner, answer: owner, split };
};

/**
 * A pack for thousands of facts: the relations and wordings of the house about 400 people and 5,600 things with made-up names, half of
 * them held out - no name stands in both halves. Made anew from a seed, the same everywhere.
 */
export function largePack(): Pack {
  const house = standardPack();
  const mill = new WordMill(JSON.stringify(house).toLowerCase());
  const subjects = (['train', 'heldOut'] as const).flatMap((split) =>
    mill.words(PEOPLE, true).map((name) => person(name, split)),
  );
  const entityTypes = Object.entries(house.entityTypes).map(([name, type]) => {
    if (!isListed(type)) return [name, type] as const;
    const inCapitals = /^\p{Lu}/u.test(type.train[0]!);
    return [name, { train: mill.words(WORDS, inCapitals), heldOut: mill.words(WORDS, inCapitals) }] as const;
  });
  return { ...house, name: LARGE_PACK, subjects, entityTypes: Object.fromEntries(entityTypes) };
}

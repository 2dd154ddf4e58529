import { WordMill } from './made-up-names.js';
import { type Pack, standardPack } from './pack.js';
import { SessionRandom } from './session-random.js';

/** The name by which a command line asks for this pack. */
export const LARGE_PACK = 'large';
/** The name of the pack whose words nobody has read. */
export const UNSEEN_PACK = 'unseen';

const SEED = 1;
/** People of each split: with the 32 relations of the house 6,400 facts. */
const PEOPLE = 200;
/** Words of each listed type and split. */
const WORDS = 200;

/**
 * A pack for thousands of facts: the relations and wordings of the house about 400 people and 5,600 things with made-up names, half of
 * them held out - no name stands in both halves. Made anew from a seed, the same everywhere.
 */
export function largePack(): Pack {
  const house = standardPack();
  const mill = new WordMill(JSON.stringify(house).toLowerCase(), SessionRandom.stream(SEED, 'large pack'));
  const subjects = (['train', 'heldOut'] as const).flatMap((split) => mill.people(PEOPLE, split));
  return { ...house, name: LARGE_PACK, subjects, entityTypes: mill.types(house, WORDS, WORDS) };
}

/**
 * The people and wordings of the house about the things of the large pack: words that no language model and no adapters have read,
 * in sentences that they know.
 */
export function unseenPack(): Pack {
  return { ...standardPack(), name: UNSEEN_PACK, entityTypes: largePack().entityTypes };
}

import { isListed, namedOwner, type Pack, wordsOfSplit } from '../pack.js';
import type { SessionRandom } from '../session-random.js';
import { wildWord } from './unknown-words.js';

/** Least share of the people who get a made-up name, in a session that has such names. */
const LEAST_SHARE = 0.5;
/** Made-up names beside those of a list of friends. */
const FRIENDS = 40;

/** Names that nobody has seen, none of which holds a word of the pack. */
function unknownNames(pack: Pack, count: number, rng: SessionRandom): string[] {
  const words = Object.values(pack.entityTypes)
    .filter(isListed)
    .flatMap((type) => wordsOfSplit(type, 'all'))
    .map((word) => word.toLowerCase());
  const names = new Set<string>();
  while (names.size < count) {
    const name = wildWord(rng);
    if (!words.some((word) => name.toLowerCase().includes(word))) names.add(name);
  }
  return [...names];
}

/** A pack in which half or more of the people ("my sister", "Ravi") are called by names that nobody has seen. */
export function withUnknownPeople(pack: Pack, rng: SessionRandom): Pack {
  const share = LEAST_SHARE + (1 - LEAST_SHARE) * rng.float();
  const names = unknownNames(pack, pack.subjects.length, rng);
  const subjects = pack.subjects.map((subject, i) =>
    rng.float() < share ? { ...subject, ...namedOwner(names[i]!) } : subject,
  );
  return { ...pack, subjects };
}

/** A pack whose friends, the things of relations to people, have names of the training words and such that nobody has seen. */
export function withUnknownFriends(pack: Pack, rng: SessionRandom): Pack {
  const entityTypes = { ...pack.entityTypes };
  for (const { owner, entityType } of pack.relations) {
    const type = pack.entityTypes[entityType]!;
    if (owner === undefined || !isListed(type) || entityTypes[entityType] !== type) continue;
    const names = unknownNames(pack, FRIENDS, rng);
    entityTypes[entityType] = { train: [...type.train, ...names], heldOut: type.heldOut };
  }
  return { ...pack, entityTypes };
}

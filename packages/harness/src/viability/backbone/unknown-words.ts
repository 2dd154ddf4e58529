import type { EntityPool } from '../entity-pool.js';
import { capitalised } from '../entity-pool.js';
import { isListed, type Pack } from '../pack.js';
import type { Session } from '../session.js';
import { SessionRandom } from '../session-random.js';

/** Share of the facts whose thing gets a made-up word, of these the share of wild words, and of lower case. */
const UNKNOWN = 0.4;
const WILD = 0.6;
const LOWER_CASE = 0.3;
const INVENTED = 'invented';

const CONSONANTS = 'bcdfghjklmnpqrstvwxz';
const SECOND_CONSONANTS = 'lrhnstkm';
const VOWELS = 'aeiouy';

/** A word of two to four syllables that is in no list: what copies only words that it knows cannot copy it. */
export function wildWord(rng: SessionRandom): string {
  const maybe = (chance: number, letters: string) =>
    rng.float() < chance ? letters[rng.int(letters.length)]! : '';
  const syllables = 2 + rng.int(3);
  let word = '';
  for (let i = 0; i < syllables; i++) {
    word += maybe(0.9, CONSONANTS) + maybe(0.3, SECOND_CONSONANTS);
    word += VOWELS[rng.int(VOWELS.length)]! + maybe(0.25, VOWELS) + maybe(0.4, CONSONANTS);
  }
  return capitalised(word);
}

/**
 * A session in which two things of five have names that nobody has seen, in fact and answer. Digits and what no longer holds stay.
 * @param rng the sample's own stream, which decides where
 * @param pool words of the syllables that a pack invents
 */
export function withUnknownWords(
  pack: Pack,
  session: Session,
  seed: number,
  rng: SessionRandom,
  pool: EntityPool,
): Session {
  const wild = SessionRandom.stream(seed, 'wild');
  const typeOf = new Map(pack.relations.map(({ id, entityType }) => [id, pack.entityTypes[entityType]!]));
  const queries = [...session.queries];
  const facts = session.facts.map((fact) => {
    const { entity, rel, target, kind, text } = fact;
    if (entity === null || rel === null || kind === 'stale' || rng.float() >= UNKNOWN) return fact;
    const type = typeOf.get(rel)!;
    if (!isListed(type) && type.generator === 'digits') return fact;
    const made = wild.float() < WILD || !pack.entityTypes[INVENTED] ? wildWord(wild) : pool.draw(INVENTED);
    const word = rng.float() < LOWER_CASE ? made.toLowerCase() : made;
    const query = target === null ? undefined : queries[target];
    if (query && target !== null) {
      const answer = query.answer.replace(entity, () => word);
      queries[target] = { ...query, answer, keyword: word.toLowerCase() };
    }
    return { ...fact, entity: word, text: text.replace(entity, () => word) };
  });
  return { facts, queries };
}

import type { EntityPool } from '../entity-pool.js';
import { capitalised } from '../entity-pool.js';
import { isMilled } from '../made-up-names.js';
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

/**
 * A word of two to four syllables that is in no list: what copies only words that it knows cannot copy it. None is of the form of the
 * names of the large pack, which no language model is to have read.
 */
export function wildWord(rng: SessionRandom): string {
  for (;;) {
    const word = ofSyllables(rng);
    if (!isMilled(word)) return word;
  }
}

function ofSyllables(rng: SessionRandom): string {
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
 * A session in which two things of five have names that nobody has seen, in fact and answer. Digits, what no longer holds and who has
 * facts of their own stay; an invented thing whose name is of the form of the large pack's always gets another.
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
    if (entity === null || rel === null || kind === 'bridge') return fact;
    const type = typeOf.get(rel)!;
    const chosen = kind !== 'stale' && rng.float() < UNKNOWN;
    if (!isListed(type) && type.generator === 'digits') return fact;
    if (!chosen && (isListed(type) || !isMilled(entity))) return fact;
    const made = wild.float() < WILD ? wildWord(wild) : inventedWord(pack, pool, wild);
    const word = rng.float() < LOWER_CASE ? made.toLowerCase() : made;
    const query = target === null ? undefined : queries[target];
    if (query && target !== null) {
      const known = word.toLowerCase();
      const answer = query.answer.replace(entity, () => word);
      queries[target] = kind === 'stale' ? { ...query, stale: known } : { ...query, answer, keyword: known };
    }
    return { ...fact, entity: word, text: text.replace(entity, () => word) };
  });
  return { facts, queries };
}

function inventedWord(pack: Pack, pool: EntityPool, wild: SessionRandom): string {
  if (!pack.entityTypes[INVENTED]) return wildWord(wild);
  for (;;) {
    const word = pool.draw(INVENTED);
    if (!isMilled(word)) return word;
  }
}

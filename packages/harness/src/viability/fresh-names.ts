import { WordMill } from './made-up-names.js';
import type { Pack } from './pack.js';
import { SessionRandom } from './session-random.js';

/** Facts of a session per person. */
const FACTS_PER_PERSON = 5;
/** Things of each listed type: at most half of them answer questions, and others come again. */
const WORDS = 40;

/**
 * A pack of the same relations and wordings for one session: all names of people and things are made up, another seed makes others, and
 * none of them stands in the pack itself, be it in its training half or in what is held out. Who is called by no name ("my sister") stays.
 * Retrieval that learns from such sessions cannot learn names by heart.
 * @param facts of the session
 */
export function withFreshNames(pack: Pack, seed: number, facts: number): Pack {
  const taken = JSON.stringify([pack.subjects, pack.relations, pack.entityTypes, pack.trivia]).toLowerCase();
  const mill = new WordMill(taken, SessionRandom.stream(seed, 'fresh names'));
  const unnamed = pack.subjects.filter(({ split }) => split === undefined);
  const people =
    unnamed.length === pack.subjects.length
      ? []
      : mill.people(Math.max(2, Math.ceil(facts / FACTS_PER_PERSON)), 'train');
  return { ...pack, subjects: [...unnamed, ...people], entityTypes: mill.types(pack, WORDS, 1) };
}

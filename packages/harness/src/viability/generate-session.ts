import { EntityPool } from './entity-pool.js';
import { isListed, type Pack, type Split, subjectsOfSplit, wordsOfSplit } from './pack.js';
import type { Session, SessionFact, SessionOptions } from './session.js';
import { filled, type Pair, rounded, SessionDraft, template } from './session-draft.js';
import { SessionRandom } from './session-random.js';
import { TWO_HOP_FACTS, tellTwoHops } from './two-hop.js';

/** All pairs of a split, subject by subject. */
const pairsOf = (pack: Pack, split: Split): Pair[] =>
  subjectsOfSplit(pack, split).flatMap((subject) =>
    pack.relations.map((relation) => ({ subject, relation })),
  );

/**
 * A session: facts in the order in which they are told, and questions about some of them. The same options give the same session
 * everywhere. A keyword occurs in exactly one fact.
 * @throws InputError when the pack has too few pairs for so many facts.
 */
export function generateSession(pack: Pack, options: SessionOptions): Session {
  const {
    seed,
    facts: count,
    queries: asked = 10,
    split,
    updateRate = 0,
    hard = 0.5,
    contrast,
    hops = 1,
  } = options;
  const percent = rounded(100 * updateRate);
  const rng = SessionRandom.stream(
    seed,
    `session/${count}/${asked}/${split}/${percent}${hops === 2 ? '/two-hop' : ''}`,
  );
  const pool = new EntityPool(pack, split, rng);
  const pairs = shuffledPairs(pack, split, rng, contrast);
  const draft = new SessionDraft(pool, rng, options);
  if (hops === 2) {
    const { rest, relations } = tellTwoHops(
      draft,
      pack,
      pairs,
      Math.min(asked, Math.floor(count / TWO_HOP_FACTS)),
    );
    draft.distractors(rest, relations, count, hard, pack);
    return { facts: draft.told(0), queries: draft.queries };
  }
  const wanted = Math.min(asked, count);
  const changed = Math.floor((wanted * percent) / 100);
  const updates = wanted + changed > count ? count - wanted : changed;
  const { targets, rest } = chooseTargets(pack, pairs, wanted, split);
  targets.forEach((pair, k) => {
    if (k < updates) draft.changing(pair, k);
    else draft.core(pair, k);
  });
  draft.distractors(rest, new Set(targets.map(({ relation }) => relation.id)), count, hard, pack);
  return { facts: draft.told(updates), queries: draft.queries };
}

function shuffledPairs(pack: Pack, split: Split, rng: SessionRandom, contrast?: number): Pair[] {
  if (contrast === undefined) return rng.shuffle(pairsOf(pack, split));
  const chosen = new Set(rng.shuffle(pack.relations).slice(0, contrast));
  return rng.shuffle(pairsOf(pack, split).filter(({ relation }) => chosen.has(relation)));
}

/** The pairs that are asked about, and the others, in order; at most half of the words of a type answer questions. */
function chooseTargets(pack: Pack, pairs: readonly Pair[], wanted: number, split: Split) {
  const counts = new Map<string, number>();
  const [targets, rest]: [Pair[], Pair[]] = [[], []];
  for (const pair of pairs) {
    const { entityType } = pair.relation;
    const type = pack.entityTypes[entityType]!;
    const most = isListed(type) ? Math.floor(wordsOfSplit(type, split).length / 2) : Number.POSITIVE_INFINITY;
    const taken = counts.get(entityType) ?? 0;
    if (targets.length < wanted && taken < most) {
      targets.push(pair);
      counts.set(entityType, taken + 1);
    } else rest.push(pair);
  }
  return { targets, rest };
}

/** Facts alone, for training: all pairs in random order, again and again, until there are `count`. */
export function factCorpus(
  pack: Pack,
  seed: number,
  count: number,
  split: Split = 'train',
  factTemplates: readonly number[] = [0, 1],
): Pick<SessionFact, 'sub' | 'rel' | 'entity' | 'text'>[] {
  const rng = SessionRandom.stream(seed, `corpus/${count}/${split}`);
  const pool = new EntityPool(pack, split, rng);
  const facts: Pick<SessionFact, 'sub' | 'rel' | 'entity' | 'text'>[] = [];
  while (facts.length < count) {
    for (const pair of rng.shuffle(pairsOf(pack, split)).slice(0, count - facts.length)) {
      const entity = pool.draw(pair.relation.entityType);
      const text = filled(template(rng, pair.relation.facts, factTemplates), pair, entity);
      facts.push({ sub: pair.subject.id, rel: pair.relation.id, entity, text });
    }
  }
  return facts;
}

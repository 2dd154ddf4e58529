import { InputError } from '@palimpsest/base';
import { namedOwner, type Pack, type Relation, type Subject } from './pack.js';
import type { Pair, SessionDraft } from './session-draft.js';

/** Facts of a question with two hops: who is meant, what holds of them, and the same of somebody else. */
export const TWO_HOP_FACTS = 3;

/** Somebody who is known by a name, and is what they are to a subject. */
interface Person {
  readonly named: Subject;
  /** As a question speaks of them, and an answer that names them. */
  readonly meant: Subject;
}

/** A relation to a person, with words for what is theirs. */
type Bridge = Relation & { readonly owner: string };

const keyOf = ({ subject, relation }: Pair): string => `${subject.id} ${relation.id}`;

/**
 * Questions that need two memories each, and their facts. The same is told of a friend of somebody else, who is asked about elsewhere:
 * the relation alone does not find the answer.
 * @returns pairs that are left for other facts, and the relations that are asked for
 * @throws InputError for a pack without relations to people.
 */
export function tellTwoHops(
  draft: SessionDraft,
  pack: Pack,
  pairs: readonly Pair[],
  wanted: number,
): { rest: Pair[]; relations: ReadonlySet<string> } {
  const bridges = pack.relations.filter((relation): relation is Bridge => relation.owner !== undefined);
  if (bridges.length === 0) {
    throw new InputError(
      `Questions with two hops need a relation with 'owner' (words for what is somebody's friend's), but the pack '${pack.name}' has none.`,
    );
  }
  const peopleTypes = new Set(bridges.map(({ entityType }) => entityType));
  const told = new Set<string>();
  const asked: { relation: Relation; person: Person }[] = [];
  for (const { subject, relation } of pairs) {
    if (asked.length === wanted) break;
    const free = bridges.filter((bridge) => !told.has(keyOf({ subject, relation: bridge })));
    if (peopleTypes.has(relation.entityType) || free.length === 0) continue;
    const via = { subject, relation: draft.rng.pick(free) };
    told.add(keyOf(via));
    const person = meet(draft, via, asked.length);
    const about = { subject: person.named, relation };
    told.add(keyOf(about));
    const entity = draft.pool.draw(relation.entityType, true);
    draft.tell('core', asked.length, about, entity);
    draft.ask({ subject: person.meant, relation }, entity, null);
    asked.push({ relation, person });
  }
  asked.forEach(({ relation }, k) => {
    const others = [...asked.slice(k + 1), ...asked.slice(0, k)];
    const about = others
      .map(({ person }) => ({ subject: person.named, relation }))
      .find((pair) => !told.has(keyOf(pair)));
    if (!about) return;
    told.add(keyOf(about));
    draft.tell('distractor', null, about, draft.pool.draw(relation.entityType));
  });
  return {
    rest: pairs.filter((pair) => !told.has(keyOf(pair))),
    relations: new Set(asked.map(({ relation }) => relation.id)),
  };
}

/** Tells who somebody's friend is. */
function meet(draft: SessionDraft, via: { subject: Subject; relation: Bridge }, query: number): Person {
  const { subject, relation } = via;
  const name = draft.pool.draw(relation.entityType, true);
  draft.tell('bridge', query, via, name);
  const named = namedOwner(name);
  return { named, meant: { ...named, query: relation.owner.replaceAll('{q}', () => subject.query) } };
}

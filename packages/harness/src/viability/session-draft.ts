import { InputError } from '@palimpsest/base';
import { capitalised, type EntityPool } from './entity-pool.js';
import { type Pack, type Relation, type Subject, wordsOfSplit } from './pack.js';
import type { SessionFact, SessionOptions, SessionQuery } from './session.js';
import type { SessionRandom } from './session-random.js';

/** Who, and what about them. */
export interface Pair {
  readonly subject: Subject;
  readonly relation: Relation;
}

/** Half up, as 0.5 is not in every language. */
export const rounded = (value: number): number => Math.floor(value + 0.5);

export const template = (rng: SessionRandom, list: readonly string[], allowed?: readonly number[]): string =>
  list[allowed ? allowed[rng.int(allowed.length)]! : rng.int(list.length)]!;

export const filled = (form: string, { subject }: Pair, entity: string): string =>
  capitalised(
    form
      .replaceAll('{F}', capitalised(subject.fact))
      .replaceAll('{f}', subject.fact)
      .replaceAll('{q}', subject.query)
      .replaceAll('{A}', capitalised(subject.answer))
      .replaceAll('{E}', () => entity),
  );

/** Near and far ones by turns, until one kind is used up. */
function alternating<T>(near: readonly T[], far: readonly T[]): T[] {
  const order: T[] = [];
  for (let i = 0; i < Math.max(near.length, far.length); i++) {
    if (i < near.length) order.push(near[i]!);
    if (i < far.length) order.push(far[i]!);
  }
  return order;
}

/** A session in the making. */
export class SessionDraft {
  readonly queries: SessionQuery[] = [];
  readonly #facts: SessionFact[] = [];

  constructor(
    readonly pool: EntityPool,
    readonly rng: SessionRandom,
    private readonly options: SessionOptions,
  ) {}

  /** A fact that a question asks for. */
  core(pair: Pair, k: number): void {
    const entity = this.pool.draw(pair.relation.entityType, true);
    this.tell('core', k, pair, entity);
    this.ask(pair, entity, null);
  }

  /** A fact that holds no longer when the question comes, and the one that does. */
  changing(pair: Pair, k: number): void {
    const { entityType, updates } = pair.relation;
    const old = this.pool.draw(entityType, true);
    this.tell('stale', k, pair, old);
    const entity = this.pool.draw(entityType, true);
    this.tell('update', k, pair, entity, template(this.rng, updates));
    this.ask(pair, entity, old.toLowerCase());
  }

  /** Fills up to `count` facts with some that are like those asked for, and with trivia. */
  distractors(
    rest: readonly Pair[],
    asked: ReadonlySet<string>,
    count: number,
    hard: number,
    pack: Pack,
  ): void {
    const open = count - this.#facts.length;
    const trivia = wordsOfSplit(pack.trivia, this.options.split);
    const general = Math.min(open - rounded(open * hard), trivia.length);
    const isNear = ({ relation }: Pair) => asked.has(relation.id);
    const order = alternating(
      rest.filter(isNear),
      rest.filter((pair) => !isNear(pair)),
    );
    const like = open - general;
    if (order.length < like) {
      throw new InputError(
        `A session of ${count} facts needs ${like} pairs of subject and relation beside those asked for, but the pack has ${order.length} left; ask for fewer facts or give a larger pack.`,
      );
    }
    for (const pair of order.slice(0, like)) {
      const entity = this.pool.draw(pair.relation.entityType);
      this.tell('distractor', null, pair, entity);
    }
    for (const text of this.rng.shuffle(trivia).slice(0, general)) {
      this.#facts.push({ kind: 'trivia', target: null, sub: null, rel: null, entity: null, text });
    }
  }

  /** The facts in the order in which they are told: shuffled, with what holds no longer before what does. */
  told(updates: number): SessionFact[] {
    const facts = this.rng.shuffle(this.#facts);
    for (let k = 0; k < updates; k++) {
      const at = (kind: SessionFact['kind']) =>
        facts.findIndex((fact) => fact.kind === kind && fact.target === k);
      const [stale, update] = [at('stale'), at('update')];
      if (stale > update) [facts[stale], facts[update]] = [facts[update]!, facts[stale]!];
    }
    return facts;
  }

  /** Tells that a thing belongs to a subject; by default in a wording that is drawn. */
  tell(
    kind: SessionFact['kind'],
    target: number | null,
    pair: Pair,
    entity: string,
    form = template(this.rng, pair.relation.facts, this.options.factTemplates),
  ): void {
    const { subject, relation } = pair;
    this.#facts.push({
      kind,
      target,
      sub: subject.id,
      rel: relation.id,
      entity,
      text: filled(form, pair, entity),
    });
  }

  /** Asks for a thing. */
  ask(pair: Pair, entity: string, stale: string | null): void {
    const { subject, relation } = pair;
    const query = template(this.rng, relation.queries, this.options.queryTemplates);
    const answer = template(this.rng, relation.answers);
    this.queries.push({
      sub: subject.id,
      rel: relation.id,
      text: filled(query, pair, entity),
      keyword: entity.toLowerCase(),
      stale,
      answer: filled(answer, pair, entity),
    });
  }
}

import { InputError } from '@palimpsest/base';
import { capitalised, EntityPool } from './entity-pool.js';
import {
  isListed,
  type Pack,
  type Relation,
  type Split,
  type Subject,
  subjectsOfSplit,
  wordsOfSplit,
} from './pack.js';
import { SessionRandom } from './session-random.js';

/** Something that is told in a session. */
export interface SessionFact {
  /** `core`: answers a question; `stale` and `update`: what held before and what holds now; the others answer nothing. */
  readonly kind: 'core' | 'stale' | 'update' | 'distractor' | 'trivia';
  /** Place of the question that it is about, or null. */
  readonly target: number | null;
  readonly sub: string | null;
  readonly rel: string | null;
  /** The thing that it names; null for trivia. */
  readonly entity: string | null;
  readonly text: string;
}

export interface SessionQuery {
  readonly sub: string;
  readonly rel: string;
  readonly text: string;
  /** What a right answer holds, in lower case. */
  readonly keyword: string;
  /** What held before, in lower case, or null. */
  readonly stale: string | null;
  /** A right answer. */
  readonly answer: string;
}

export interface Session {
  readonly facts: readonly SessionFact[];
  readonly queries: readonly SessionQuery[];
}

export interface SessionOptions {
  readonly seed: number;
  /** Facts, N. */
  readonly facts: number;
  /** Questions; at most as many as facts. Default 10. */
  readonly queries?: number;
  readonly split: Split;
  /** Share of the questions whose fact is changed later. Default 0. */
  readonly updateRate?: number;
  /** Share of the other facts that are like those asked for. Default 0.5. */
  readonly hard?: number;
  /** Wordings of facts that are allowed. Default: all. */
  readonly factTemplates?: readonly number[];
  /** Wordings of questions that are allowed. Default: all. */
  readonly queryTemplates?: readonly number[];
  /** So few relations, held by several subjects each: a question then needs both. */
  readonly contrast?: number;
}

interface Pair {
  readonly subject: Subject;
  readonly relation: Relation;
}

/** Half up, as 0.5 is not in every language. */
const rounded = (value: number): number => Math.floor(value + 0.5);

const template = (rng: SessionRandom, list: readonly string[], allowed?: readonly number[]): string =>
  list[allowed ? allowed[rng.int(allowed.length)]! : rng.int(list.length)]!;

const filled = (form: string, { subject }: Pair, entity: string): string =>
  capitalised(
    form
      .replaceAll('{F}', capitalised(subject.fact))
      .replaceAll('{f}', subject.fact)
      .replaceAll('{q}', subject.query)
      .replaceAll('{A}', capitalised(subject.answer))
      .replaceAll('{E}', () => entity),
  );

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
  const { seed, facts: count, queries: asked = 10, split, updateRate = 0, hard = 0.5, contrast } = options;
  const percent = rounded(100 * updateRate);
  const rng = SessionRandom.stream(seed, `session/${count}/${asked}/${split}/${percent}`);
  const pool = new EntityPool(pack, split, rng);
  const pairs = shuffledPairs(pack, split, rng, contrast);
  const wanted = Math.min(asked, count);
  const changed = Math.floor((wanted * percent) / 100);
  const updates = wanted + changed > count ? count - wanted : changed;
  const { targets, rest } = chooseTargets(pack, pairs, wanted, split);
  const draft = new SessionDraft(pool, rng, options);
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
class SessionDraft {
  readonly queries: SessionQuery[] = [];
  readonly #facts: SessionFact[] = [];

  constructor(
    private readonly pool: EntityPool,
    private readonly rng: SessionRandom,
    private readonly options: SessionOptions,
  ) {}

  /** A fact that a question asks for. */
  core(pair: Pair, k: number): void {
    const entity = this.pool.draw(pair.relation.entityType, true);
    this.#tell('core', k, pair, entity, template(this.rng, pair.relation.facts, this.options.factTemplates));
    this.#ask(pair, entity, null);
  }

  /** A fact that holds no longer when the question comes, and the one that does. */
  changing(pair: Pair, k: number): void {
    const { entityType, facts, updates } = pair.relation;
    const old = this.pool.draw(entityType, true);
    this.#tell('stale', k, pair, old, template(this.rng, facts, this.options.factTemplates));
    const entity = this.pool.draw(entityType, true);
    this.#tell('update', k, pair, entity, template(this.rng, updates));
    this.#ask(pair, entity, old.toLowerCase());
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
      this.#tell(
        'distractor',
        null,
        pair,
        entity,
        template(this.rng, pair.relation.facts, this.options.factTemplates),
      );
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

  #tell(kind: SessionFact['kind'], target: number | null, pair: Pair, entity: string, form: string): void {
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

  #ask(pair: Pair, entity: string, stale: string | null): void {
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

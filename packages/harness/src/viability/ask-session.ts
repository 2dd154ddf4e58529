import { type ConversationAdapters, featuresOf, KeyValueMemory, type TextModel } from '@palimpsest/ams-v4';
import { EntityPool } from './entity-pool.js';
import type { Mode } from './modes.js';
import type { Pack } from './pack.js';
import { LOOKED, type Prompt, promptOf } from './prompts.js';
import { type Score, scoreAnswer } from './scoring.js';
import type { Session, SessionFact, SessionOptions } from './session.js';
import { SessionRandom } from './session-random.js';

/** What came of one question in one mode. */
export interface AskedQuestion extends Score {
  readonly query: string;
  readonly keyword: string;
  readonly answer: string;
  /** Tokens of the prompt. */
  readonly inputTokens: number;
  /** Positions of what stands before it. */
  readonly prefixPositions: number;
  /**
   * Rank of the memory that answers it, from 1, or the last rank of the two that do; 0 where nothing was looked up, or one was not among
   * those found.
   */
  readonly rank: number;
  /** Memories that were looked at. */
  readonly looked: number;
  /** The prompt was longer than the model takes, and lost its first lines. */
  readonly truncated: boolean;
  /** What it asks for was something else before: a stale answer can be given. */
  readonly changed: boolean;
  readonly error?: string;
}

export interface AskedSession {
  readonly results: Readonly<Partial<Record<Mode, readonly AskedQuestion[]>>>;
  /** Bytes of a memory, mean: of directions, keys and values, slots, text. */
  readonly bytes: ReturnType<KeyValueMemory['bytes']>;
  readonly memories: number;
}

/** How a session is told and asked. */
export interface AskOptions {
  readonly modes: readonly Mode[];
  /** Most new tokens of an answer. */
  readonly maxTokens: number;
  /** A fact of a subject and a relation that are known takes the place of the old one. Default: both stay. */
  readonly replaces?: boolean | undefined;
}

/**
 * Tells a session to a memory and asks its questions in every mode, all modes with one decoder.
 * @param text the language model
 */
export async function askSession(
  text: TextModel,
  adapters: ConversationAdapters,
  pack: Pack,
  options: SessionOptions,
  session: Session,
  { modes, maxTokens, replaces = false }: AskOptions,
): Promise<AskedSession> {
  const memory = new KeyValueMemory(text, adapters);
  const wrong = new KeyValueMemory(text, adapters);
  try {
    const told = await tellFacts(memory, session.facts, replaces);
    if (modes.includes('X_wrong_memory'))
      await tellFacts(wrong, wrongFacts(pack, options, session), replaces);
    const queries = session.queries.map((query) => query.text);
    const found = await memory.retrieve(queries, LOOKED);
    const flat = modes.includes('B_flat_cos') ? await flatRanks(text, adapters, session) : [];
    const results: Partial<Record<Mode, AskedQuestion[]>> = {};
    for (const mode of modes) {
      const prompts = session.queries.map((_, i) =>
        promptOf(mode, text, adapters.config, session, i, told, found[i]!, flat[i] ?? []),
      );
      const source = mode === 'X_wrong_memory' ? wrong : memory;
      results[mode] = await answers(source, pack, session, prompts, maxTokens);
    }
    return { results, bytes: memory.bytes(), memories: memory.size };
  } finally {
    await memory.dispose();
    await wrong.dispose();
  }
}

/**
 * Tells facts in their order, those between two changes together.
 * @returns the memory of each fact; of one that was replaced, the memory that took its place
 */
export async function tellFacts(
  memory: Pick<KeyValueMemory, 'writeMany' | 'update'>,
  facts: readonly SessionFact[],
  replaces: boolean,
): Promise<number[]> {
  const [mids, known]: [number[], Map<string, number>] = [[], new Map()];
  let waiting: SessionFact[] = [];
  const write = async () => {
    const written = await memory.writeMany(waiting.map(({ text }) => text));
    for (const [i, { mid }] of written.entries()) {
      const about = aboutOf(waiting[i]!);
      mids.push(mid);
      if (about !== undefined) known.set(about, mid);
    }
    waiting = [];
  };
  for (const fact of facts) {
    if (!replaces || fact.kind === 'trivia') {
      waiting.push(fact);
      continue;
    }
    if (waiting.some((other) => aboutOf(other) === aboutOf(fact))) await write();
    const mid = known.get(aboutOf(fact)!);
    if (mid === undefined) waiting.push(fact);
    else {
      await write();
      await memory.update(mid, fact.text);
      mids.push(mid);
    }
  }
  await write();
  return mids;
}

/** Subject and relation, by which a fact is told again; undefined for trivia. */
const aboutOf = ({ sub, rel }: SessionFact): string | undefined =>
  sub === null || rel === null ? undefined : `${sub} ${rel}`;

async function answers(
  memory: KeyValueMemory,
  pack: Pack,
  session: Session,
  prompts: readonly Prompt[],
  maxTokens: number,
): Promise<AskedQuestion[]> {
  const ask = (some: readonly Prompt[]) =>
    memory.continueBehind(
      some.map(({ ids }) => ids),
      some.map(({ memories }) => memories),
      maxTokens,
    );
  const together = await ask(prompts).catch(() => undefined);
  const asked: AskedQuestion[] = [];
  for (const [i, prompt] of prompts.entries()) {
    // A question that fails takes no other with it: all are then asked one by one.
    const own = together ? undefined : await ask([prompt]).catch((error: Error) => error);
    const failed = own instanceof Error ? `ERROR ${own.name}: ${own.message}` : undefined;
    const ids = together?.ids[i] ?? (own instanceof Error ? undefined : own?.ids[0]);
    const answer = failed ?? memory.text.decode(ids ?? []).trim();
    const positions = together?.positions[i] ?? (own instanceof Error ? 0 : (own?.positions[0] ?? 0));
    asked.push({
      ...judged(pack, session, i, answer),
      ...costs(prompt, positions),
      ...(failed && { error: failed }),
    });
  }
  return asked;
}

function judged(pack: Pack, session: Session, query: number, answer: string) {
  const { text, keyword, stale } = session.queries[query]!;
  const score = scoreAnswer(answer, { keyword, stale, entitiesOfType: entitiesLike(pack, session, query) });
  return { ...score, query: text, keyword, answer, changed: stale !== null };
}

const costs = ({ ids, rank, looked, truncated }: Prompt, prefixPositions: number) => ({
  inputTokens: ids.length,
  prefixPositions,
  rank,
  looked,
  truncated,
});

/** Things of the keyword's type that facts name; a rival of the keyword is one of them. */
function entitiesLike(pack: Pack, session: Session, query: number): string[] {
  const typeOf = new Map(pack.relations.map(({ id, entityType }) => [id, entityType]));
  const type = typeOf.get(session.queries[query]!.rel);
  return session.facts.flatMap(({ rel, entity }) =>
    rel !== null && entity && typeOf.get(rel) === type ? [entity.toLowerCase()] : [],
  );
}

/** The facts with every thing replaced by another of its type that answers no question. */
function wrongFacts(pack: Pack, { seed, split }: SessionOptions, session: Session): SessionFact[] {
  const pool = new EntityPool(pack, split, SessionRandom.stream(seed, 'wrong'));
  const keywords = new Set(session.queries.map(({ keyword }) => keyword));
  const typeOf = new Map(pack.relations.map(({ id, entityType }) => [id, entityType]));
  return session.facts.map((fact) => {
    const { text, entity, rel } = fact;
    if (entity === null || rel === null) return fact;
    let other = pool.draw(typeOf.get(rel)!);
    while (keywords.has(other.toLowerCase())) other = pool.draw(typeOf.get(rel)!);
    return { ...fact, text: text.replace(entity, () => other) };
  });
}

/** Facts by the cosine of the standardised centroid and state with those of each question. */
async function flatRanks(
  text: TextModel,
  adapters: ConversationAdapters,
  session: Session,
): Promise<number[][]> {
  const { config, memories, queries } = adapters;
  const vectors = async (
    form: string,
    texts: readonly string[],
    standard: ConversationAdapters['memories'],
  ) => {
    const { tokenWeights } = adapters;
    const features = await featuresOf(text, config, form, texts, tokenWeights, undefined, () => false);
    return features.map(({ centroid, hidden }) => {
      const part = (vector: Float32Array, by: typeof standard.centroid) =>
        by.apply({ data: vector, shape: [1, vector.length], dtype: 'float32' }).data;
      return [...part(centroid, standard.centroid), ...part(hidden, standard.hidden)];
    });
  };
  const facts = await vectors(
    config.memoryForm,
    session.facts.map((fact) => fact.text),
    memories,
  );
  const asked = await vectors(
    config.queryForm,
    session.queries.map((query) => query.text),
    queries,
  );
  const lengths = facts.map((fact) => Math.hypot(...fact));
  return asked.map((query) => {
    const scores = facts.map(
      (fact, i) => fact.reduce((sum, value, k) => sum + value * query[k]!, 0) / lengths[i]!,
    );
    return [...facts.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
  });
}

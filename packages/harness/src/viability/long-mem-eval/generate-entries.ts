import { InputError } from '@palimpsest/base';
import { generateSession } from '../generate-session.js';
import type { Pack } from '../pack.js';
import type { SessionFact, SessionQuery } from '../session.js';
import type { LongMemEntry } from './entries.js';

/** Kinds of questions that are generated, as the benchmark calls them. */
const TYPES = ['single-session-user', 'knowledge-update', 'multi-session', 'abstention'] as const;
type Type = (typeof TYPES)[number];

export interface GenerateEntriesOptions {
  readonly entries: number;
  /** Of the first entry. */
  readonly seed: number;
  /** Facts that a user tells in an entry. */
  readonly facts: number;
  /** Talks in which they are told. */
  readonly sessions: number;
}

/** What is told, in its order, and what is asked. */
interface Talk {
  readonly facts: readonly SessionFact[];
  readonly query: SessionQuery;
  /** Places of the facts that answer. */
  readonly answers: readonly number[];
}

/** Days between two talks, from the first of 2024. */
const DAYS = 7;
const FIRST = Date.UTC(2024, 0, 1, 9);

/**
 * Entries in the shape of LongMemEval from generated sessions of held-out words, the kinds of questions in turn. Facts of a question that
 * needs two, and what held before and what holds now, are told in different talks.
 * @throws InputError for fewer facts than talks, or fewer than two talks.
 */
export function generateEntries(pack: Pack, options: GenerateEntriesOptions): LongMemEntry[] {
  const { entries, seed, facts, sessions } = options;
  if (sessions < 2) throw new InputError(`Facts are told in two talks or more, but in ${sessions} here.`);
  if (facts < Math.max(sessions, 4)) {
    throw new InputError(
      `${facts} facts are too few for ${sessions} talks; give at least ${Math.max(sessions, 4)}.`,
    );
  }
  return Array.from({ length: entries }, (_, i) => {
    const type = TYPES[i % TYPES.length]!;
    return entryOf(type, i, talkOf(type, pack, seed + i, facts), sessions);
  });
}

function talkOf(type: Type, pack: Pack, seed: number, count: number): Talk {
  const common = { seed, facts: count, split: 'heldOut' } as const;
  if (type === 'knowledge-update') {
    const { facts, queries } = generateSession(pack, { ...common, queries: 1, updateRate: 1 });
    return { facts, query: queries[0]!, answers: placesOf(facts, 0) };
  }
  if (type === 'multi-session') {
    const { facts, queries } = generateSession(pack, { ...common, queries: 1, hops: 2 });
    return { facts, query: queries[0]!, answers: placesOf(facts, 0) };
  }
  if (type === 'single-session-user') {
    const { facts, queries } = generateSession(pack, { ...common, queries: 1 });
    return { facts, query: queries[0]!, answers: placesOf(facts, 0) };
  }
  const { facts, queries } = generateSession(pack, { ...common, facts: count + 1, queries: 2 });
  return { facts: facts.filter(({ target }) => target !== 1), query: queries[1]!, answers: [] };
}

const placesOf = (facts: readonly SessionFact[], query: number): number[] =>
  facts.flatMap(({ target }, place) => (target === query ? [place] : []));

function entryOf(type: Type, number: number, { facts, query, answers }: Talk, count: number): LongMemEntry {
  const places = facts.map((_, place) => Math.floor((place * count) / facts.length));
  const [first, second] = answers;
  if (first !== undefined && second !== undefined && places[first] === places[second]) {
    if (places[second]! < count - 1) places[second]! += 1;
    else places[first]! -= 1;
  }
  const never = type === 'abstention';
  const id = (place: number) => `talk-${number}-${place}`;
  const talks = Array.from({ length: count }, (_, place) =>
    facts
      .filter((_fact, at) => places[at] === place)
      .flatMap(({ text }) => [
        { role: 'user', content: text },
        { role: 'assistant', content: 'I see.' },
      ]),
  );
  return {
    question_id: `${type}-${number}${never ? '_abs' : ''}`,
    question_type: never ? 'single-session-user' : type,
    question: query.text,
    answer: never ? 'You did not tell me.' : query.answer,
    haystack_session_ids: talks.map((_, place) => id(place)),
    haystack_dates: talks.map((_, place) =>
      new Date(FIRST + place * DAYS * 864e5).toISOString().slice(0, 16),
    ),
    haystack_sessions: talks,
    answer_session_ids: [...new Set(answers.map((at) => id(places[at]!)))],
  };
}

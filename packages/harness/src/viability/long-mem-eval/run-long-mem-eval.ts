import { mean } from '@palimpsest/base';
import { type Rate, rateOf } from '../aggregate.js';
import { scoreAnswer } from '../scoring.js';
import { asksForAbstention, type LongMemEntry, saidBy } from './entries.js';
import { answerIn, hasAnswer, hasNewAnswer, keywordF1 } from './keywords.js';
import type { Remembering } from './remembering.js';

/** Answers that are shorter say nothing. */
const SHORT = 10;

/** An entry, and what a memory made of it. */
export interface LongMemResult {
  readonly id: string;
  readonly type: string;
  readonly question: string;
  readonly expected: string;
  /** Absent where only words were looked up. */
  readonly answer?: string | undefined;
  /** Turns that were remembered, and those that were found. */
  readonly written: number;
  readonly found: readonly string[];
  /** Share of the sessions with the answer of which a turn was found; null for a question that has none. */
  readonly sessionRecall: number | null;
  readonly answerInFound: boolean;
  readonly abstention: boolean;
}

/** What entries of one kind came to. */
export interface LongMemMeans {
  readonly count: number;
  /** Of 0 to 1; null without answers. */
  readonly keywordF1: number | null;
  /** Enough keywords as parts of the answer; enough of those that the question has not, as words; null without answers. */
  readonly hasAnswer: Rate | null;
  readonly hasNewAnswer: Rate | null;
  readonly answerInFound: Rate;
  readonly sessionRecall: number | null;
}

interface Spread {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

export interface LongMemReport {
  readonly schema: 1;
  /** Without the questions whose answer was never told. */
  readonly overall: LongMemMeans;
  readonly byType: Readonly<Record<string, LongMemMeans>>;
  /** Means over types, each counting alike: the benchmark's first figure. */
  readonly typeAveraged: { readonly keywordF1: number | null; readonly hasAnswer: number | null };
  /** Questions whose answer was never told: short answers, and those that say so; null without answers or such questions. */
  readonly abstention: { readonly short: Rate; readonly said: Rate } | null;
  readonly memories: { readonly written: Spread; readonly found: Spread };
  readonly results: readonly LongMemResult[];
}

/** Tells each entry to a memory of its own, and asks it. */
export async function runLongMemEval(
  entries: readonly LongMemEntry[],
  remember: Remembering,
  { onEntry, signal }: { onEntry?: (done: number) => void; signal?: AbortSignal } = {},
): Promise<LongMemReport> {
  const results: LongMemResult[] = [];
  for (const entry of entries) {
    if (signal?.aborted) break;
    results.push(await askEntry(entry, remember));
    onEntry?.(results.length);
  }
  return reportOf(results);
}

async function askEntry(entry: LongMemEntry, remember: Remembering): Promise<LongMemResult> {
  const said = saidBy(entry);
  const { answer, found } = said.length > 0 ? await remember(said, entry) : { answer: '', found: [] };
  const texts = found.map((place) => said[place]!.text);
  const sessions = new Set(found.map((place) => said[place]!.session));
  const wanted = entry.answer_session_ids;
  const recall = wanted.filter((id) => sessions.has(id)).length / wanted.length;
  return {
    id: entry.question_id,
    type: entry.question_type,
    question: entry.question,
    expected: entry.answer,
    answer,
    written: said.length,
    found: texts,
    sessionRecall: wanted.length === 0 ? null : recall,
    answerInFound: answerIn(texts, entry.answer),
    abstention: asksForAbstention(entry),
  };
}

function reportOf(results: readonly LongMemResult[]): LongMemReport {
  const told = results.filter(({ abstention }) => !abstention);
  const types = [...new Set(told.map(({ type }) => type))].sort();
  const byType = Object.fromEntries(
    types.map((type) => [type, meansOf(told.filter((one) => one.type === type))]),
  );
  const never = results.filter(({ abstention, answer }) => abstention && answer !== undefined);
  return {
    schema: 1,
    overall: meansOf(told),
    byType,
    typeAveraged: {
      keywordF1: meanOf(Object.values(byType).map((one) => one.keywordF1)),
      hasAnswer: meanOf(Object.values(byType).map((one) => one.hasAnswer?.rate ?? null)),
    },
    abstention: never.length === 0 ? null : abstentions(never),
    memories: {
      written: spread(results.map(({ written }) => written)),
      found: spread(results.map(({ found }) => found.length)),
    },
    results,
  };
}

function meansOf(results: readonly LongMemResult[]): LongMemMeans {
  const answered = results.filter((one) => one.answer !== undefined);
  const share = (of: (given: string, expected: string, question: string) => boolean): Rate | null =>
    answered.length === 0
      ? null
      : rateOf(answered.filter((one) => of(one.answer!, one.expected, one.question)).length, answered.length);
  return {
    count: results.length,
    keywordF1: meanOf(answered.map((one) => keywordF1(one.answer!, one.expected))),
    hasAnswer: share(hasAnswer),
    hasNewAnswer: share(hasNewAnswer),
    answerInFound: rateOf(results.filter(({ answerInFound }) => answerInFound).length, results.length),
    sessionRecall: meanOf(results.map((one) => one.sessionRecall)),
  };
}

function abstentions(results: readonly LongMemResult[]): { short: Rate; said: Rate } {
  const count = (of: (answer: string) => boolean) =>
    rateOf(results.filter(({ answer }) => of(answer!)).length, results.length);
  return {
    short: count((answer) => answer.trim().length < SHORT),
    said: count((answer) => scoreAnswer(answer, { keyword: '', stale: null, entitiesOfType: [] }).abstained),
  };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const there = values.filter((value) => value !== null);
  return there.length === 0 ? null : mean(there);
}

const spread = (values: readonly number[]): Spread => ({
  min: Math.min(...values),
  max: Math.max(...values),
  mean: mean(values),
});

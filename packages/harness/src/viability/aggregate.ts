import type { AskedQuestion } from './ask-session.js';
import { wilsonInterval } from './wilson.js';

/** A share with its interval at 95 %. */
export interface Rate {
  readonly hits: number;
  readonly count: number;
  readonly rate: number;
  readonly interval: readonly [low: number, high: number];
}

/** What a mode came to over all questions of a number of facts. */
export interface ModeResult {
  /** All of the questions, but `stale`: of those whose answer was another one before. */
  readonly rates: Readonly<Record<'loose' | 'strict' | 'first' | 'stale' | 'abstain' | 'error', Rate>>;
  readonly retrieval: {
    /** Of the questions for which memories were looked up; of those that need two, both must be found. */
    readonly recallAt1: number;
    readonly recallAtK: number;
    readonly meanReciprocalRank: number;
    /** First-hit rate where the right memory was found. */
    readonly firstGivenFound: Rate;
  } | null;
  readonly inputTokens: number;
  readonly prefixPositions: number;
  readonly truncated: number;
}

export function rateOf(hits: number, count: number): Rate {
  return { hits, count, rate: count === 0 ? 0 : hits / count, interval: wilsonInterval(hits, count) };
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

export function aggregate(asked: readonly AskedQuestion[]): ModeResult {
  const share = (of: (question: AskedQuestion) => boolean) => rateOf(asked.filter(of).length, asked.length);
  const changed = asked.filter((question) => question.changed);
  const looked = asked.filter((question) => question.looked > 0);
  const found = looked.filter(({ rank }) => rank > 0);
  return {
    rates: {
      loose: share(({ hit }) => hit),
      strict: share(({ strictHit }) => strictHit),
      first: share(({ firstHit }) => firstHit),
      stale: rateOf(changed.filter(({ staleHit }) => staleHit).length, changed.length),
      abstain: share(({ abstained }) => abstained),
      error: share(({ error }) => error !== undefined),
    },
    retrieval:
      looked.length === 0
        ? null
        : {
            recallAt1: looked.filter(({ rank }) => rank === 1).length / looked.length,
            recallAtK: found.length / looked.length,
            meanReciprocalRank: mean(looked.map(({ rank }) => (rank > 0 ? 1 / rank : 0))),
            firstGivenFound: rateOf(found.filter(({ firstHit }) => firstHit).length, found.length),
          },
    inputTokens: mean(asked.map((question) => question.inputTokens)),
    prefixPositions: mean(asked.map((question) => question.prefixPositions)),
    truncated: asked.filter((question) => question.truncated).length,
  };
}

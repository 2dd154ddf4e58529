import { describe, expect, it } from 'vitest';
import { aggregate, type ModeResult } from '../../src/viability/aggregate.js';
import type { AskedQuestion } from '../../src/viability/ask-session.js';
import { mergeGate } from '../../src/viability/gate.js';
import type { Mode } from '../../src/viability/modes.js';

const question = (change: Partial<AskedQuestion> = {}): AskedQuestion => ({
  query: 'q',
  keyword: 'k',
  answer: 'a',
  hit: false,
  strictHit: false,
  firstHit: false,
  staleHit: false,
  rivals: 0,
  abstained: false,
  inputTokens: 12,
  prefixPositions: 0,
  rank: 0,
  looked: 0,
  truncated: false,
  changed: false,
  ...change,
});

/** A mode in which so many of 200 questions are hit. */
const withHits = (hits: number, change: Partial<AskedQuestion> = {}): ModeResult =>
  aggregate(
    Array.from({ length: 200 }, (_, i) =>
      question({ ...(i < hits && { hit: true, strictHit: true, firstHit: true }), ...change }),
    ),
  );

const good: Record<string, ModeResult> = {
  Z_no_memory: withHits(0),
  X_wrong_memory: withHits(6),
  D_full_history: withHits(200, { inputTokens: 600 }),
  A_ams_prefix: withHits(190, { prefixPositions: 12 }),
  C_ams_hybrid: withHits(195),
};
const results = (change: Partial<Record<Mode, ModeResult>> = {}) =>
  new Map([20, 50].map((facts) => [facts, { ...good, ...change }]));
const failing = (change: Partial<Record<Mode, ModeResult>>, untouched: boolean | null = true) =>
  mergeGate(results(change), untouched)
    .clauses.filter(({ holds }) => holds !== true)
    .map(({ name }) => name);

describe('the gate', () => {
  it('is passed when every clause holds', () => {
    expect(mergeGate(results(), true)).toMatchObject({ passed: true });
    expect(failing({})).toEqual([]);
  });

  it('is not passed by reaching a bar, nor by a share whose interval does', () => {
    expect(
      failing({ A_ams_prefix: withHits(100), D_full_history: withHits(100, { inputTokens: 600 }) }),
    ).toEqual(['published rule, A', '(a) A']);
    expect(
      failing({ A_ams_prefix: withHits(110), D_full_history: withHits(110, { inputTokens: 600 }) }),
    ).toEqual(['(a) A']);
    expect(failing({ C_ams_hybrid: withHits(140) })).toEqual(['published rule, C', '(a) C']);
  });

  it('is not passed when controls answer, or A stays behind the full history, or costs too much, or a question fails', () => {
    expect(failing({ Z_no_memory: withHits(7) })).toEqual(['(b) Z']);
    expect(failing({ X_wrong_memory: withHits(7) })).toEqual(['(b) X']);
    expect(failing({ A_ams_prefix: withHits(179) })).toEqual(['(d) ceiling']);
    expect(failing({ A_ams_prefix: withHits(190, { prefixPositions: 109 }) })).toEqual(['(d) price']);
    expect(failing({ O_oracle_prefix: withHits(0, { error: 'ERROR' }) })).toEqual(['(e) errors']);
  });

  it('is not passed when a clause was not run, or the logits are touched', () => {
    expect(failing({}, null)).toEqual(['(c) logits']);
    expect(failing({}, false)).toEqual(['(c) logits']);
    const only20 = mergeGate(new Map([[20, good]]), true);
    expect(only20.clauses.filter(({ holds }) => holds === null).map(({ name }) => name)).toEqual([
      '(d) price',
    ]);
    expect(only20.passed).toBe(false);
  });
});

it('retrieval counts the questions for which memories were looked up', () => {
  const { retrieval } = aggregate([
    question({ looked: 4, rank: 1, firstHit: true }),
    question({ looked: 4, rank: 4 }),
    question({ looked: 4 }),
    question(),
  ]);
  expect(retrieval).toMatchObject({
    recallAt1: 1 / 3,
    recallAtK: 2 / 3,
    firstGivenFound: { hits: 1, count: 2 },
  });
  expect(retrieval!.meanReciprocalRank).toBeCloseTo(1.25 / 3);
});

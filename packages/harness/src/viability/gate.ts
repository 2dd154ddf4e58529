import type { ModeResult } from './aggregate.js';
import type { Mode } from './modes.js';

/** Bars of the published gate, which are not reached by equality. */
const BAR = { A: 0.5, C: 0.7 } as const;
const CONTROL_BAR = 0.03;
/** How far A may stay behind D. */
const BEHIND_FULL_HISTORY = 0.1;
/** A's positions as a share of D's, at 50 facts. */
const POSITIONS_BAR = 0.2;
const GATE_FACTS = 20;
const COST_FACTS = 50;

/** Results by number of facts and mode. */
export type GateResults = ReadonlyMap<number, Readonly<Partial<Record<Mode, ModeResult>>>>;

export interface Clause {
  readonly name: string;
  /** What is compared, with the numbers. */
  readonly text: string;
  /** Null where what it needs was not run, so that the gate is not passed. */
  readonly holds: boolean | null;
}

export interface Verdict {
  readonly passed: boolean;
  readonly clauses: readonly Clause[];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/**
 * The merge gate: the published rule, and what makes it mean something - intervals, controls, a ban on touching the logits, the full
 * history as a ceiling, the price, and no errors.
 * @param logitsUntouched whether a plain loop over the model gave the tokens of the run; null when it was not tried
 */
export function mergeGate(results: GateResults, logitsUntouched: boolean | null): Verdict {
  const at = (facts: number, mode: Mode) => results.get(facts)?.[mode];
  const clauses: Clause[] = [];
  const clause = (name: string, needed: readonly unknown[], text: () => string, holds: () => boolean) => {
    const known = needed.every((one) => one !== undefined && one !== null);
    clauses.push({ name, text: known ? text() : 'not run', holds: known ? holds() : null });
  };
  for (const [letter, mode] of [
    ['A', 'A_ams_prefix'],
    ['C', 'C_ams_hybrid'],
  ] as const) {
    const result = at(GATE_FACTS, mode);
    clause(
      `published rule, ${letter}`,
      [result],
      () => `loose ${percent(result!.rates.loose.rate)} > ${percent(BAR[letter])} at N = ${GATE_FACTS}`,
      () => result!.rates.loose.rate > BAR[letter],
    );
    clause(
      `(a) ${letter}`,
      [result],
      () => {
        const { interval, count } = result!.rates.first;
        return `lower bound of first hits ${percent(interval[0])} > ${percent(BAR[letter])}, ${count} questions`;
      },
      () => result!.rates.first.interval[0] > BAR[letter],
    );
  }
  for (const [letter, mode] of [
    ['Z', 'Z_no_memory'],
    ['X', 'X_wrong_memory'],
  ] as const) {
    const result = at(GATE_FACTS, mode);
    clause(
      `(b) ${letter}`,
      [result],
      () => `first hits ${percent(result!.rates.first.rate)} ≤ ${percent(CONTROL_BAR)}`,
      () => result!.rates.first.rate <= CONTROL_BAR,
    );
  }
  clause(
    '(c) logits',
    [logitsUntouched],
    () => 'a plain loop over the model gives the same tokens',
    () => logitsUntouched === true,
  );
  const [a, d] = [at(GATE_FACTS, 'A_ams_prefix'), at(GATE_FACTS, 'D_full_history')];
  clause(
    '(d) ceiling',
    [a, d],
    () =>
      `A ${percent(a!.rates.first.rate)} ≥ D ${percent(d!.rates.first.rate)} − ${percent(BEHIND_FULL_HISTORY)}`,
    () => a!.rates.first.rate >= d!.rates.first.rate - BEHIND_FULL_HISTORY,
  );
  const [costA, costD] = [at(COST_FACTS, 'A_ams_prefix'), at(COST_FACTS, 'D_full_history')];
  const positions = (result: ModeResult) => result.inputTokens + result.prefixPositions;
  clause(
    '(d) price',
    [costA, costD],
    () =>
      `A's positions ${percent(positions(costA!) / positions(costD!))} of D's ≤ ${percent(POSITIONS_BAR)} at N = ${COST_FACTS}`,
    () => positions(costA!) <= POSITIONS_BAR * positions(costD!),
  );
  const errors = [...results.values()].flatMap((byMode) =>
    Object.values(byMode).map(({ rates }) => rates.error.hits),
  );
  const wrong = errors.reduce((sum, count) => sum + count, 0);
  clause(
    '(e) errors',
    [wrong],
    () => `${wrong} questions ended in an error`,
    () => wrong === 0,
  );
  return { passed: clauses.every(({ holds }) => holds === true), clauses };
}

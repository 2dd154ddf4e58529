import type { Engine } from '@palimpsest/tensor-core';
import type { ChartSpec } from '../report/charts.js';
import { describeProvenance } from '../results/provenance.js';
import type { EvaluationResult, Results } from '../results/schema.js';

/** What an evaluation gets to work with. */
export interface EvaluationContext {
  readonly engine: Engine;
  readonly seed: number;
  /** Ends the evaluation early: it stops at its next step and throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Tells how far the evaluation is, from 0 to 1, and what it is doing. */
  progress(fraction: number, note: string): void;
}

/** What an evaluation reports; the suite adds its name and the time it took. */
export type EvaluationOutcome = Pick<EvaluationResult, 'summary' | 'passed' | 'config' | 'metrics'> & {
  readonly charts: readonly ChartSpec[];
};

/** One question asked of one mechanism. */
export interface Evaluation {
  /** Stable name, as in 'osam/recall'. */
  readonly name: string;
  readonly system: string;
  readonly title: string;
  run(context: EvaluationContext): Promise<EvaluationOutcome>;
}

export interface SuiteOptions {
  readonly name: string;
  readonly engine: Engine;
  /** Default 1337. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export type SuiteEvent =
  | {
      readonly type: 'start';
      readonly evaluation: Evaluation;
      readonly index: number;
      readonly total: number;
    }
  | {
      readonly type: 'progress';
      readonly evaluation: Evaluation;
      readonly fraction: number;
      readonly note: string;
    }
  | {
      readonly type: 'result';
      readonly result: EvaluationResult;
      readonly index: number;
      readonly total: number;
    };

/**
 * Runs evaluations one after the other. One that throws becomes a failed result and the suite goes on; an abort ends
 * the suite with what it has.
 */
export async function runSuite(
  evaluations: readonly Evaluation[],
  options: SuiteOptions,
  onEvent: (event: SuiteEvent) => void = () => {},
): Promise<Results> {
  const { name, engine, seed = 1337, signal } = options;
  const provenance = describeProvenance(engine, seed);
  const total = evaluations.length;
  const start = performance.now();
  const results: EvaluationResult[] = [];
  for (const [index, evaluation] of evaluations.entries()) {
    if (signal?.aborted) break;
    onEvent({ type: 'start', evaluation, index, total });
    const progress = (fraction: number, note: string) =>
      onEvent({ type: 'progress', evaluation, fraction, note });
    const result = await runOne(evaluation, { engine, seed, progress, ...(signal ? { signal } : {}) });
    if (signal?.aborted) break;
    results.push(result);
    onEvent({ type: 'result', result, index, total });
  }
  return {
    format: 'palimpsest-results',
    version: 1,
    suite: name,
    provenance,
    seconds: secondsSince(start),
    evaluations: results,
  };
}

async function runOne(evaluation: Evaluation, context: EvaluationContext): Promise<EvaluationResult> {
  const { name, system, title } = evaluation;
  const start = performance.now();
  try {
    const outcome = await evaluation.run(context);
    const charts = outcome.charts as unknown as EvaluationResult['charts'];
    return { name, system, title, seconds: secondsSince(start), ...outcome, charts };
  } catch (error) {
    return {
      name,
      system,
      title,
      summary: 'The evaluation could not be completed.',
      passed: false,
      seconds: secondsSince(start),
      config: {},
      metrics: [],
      charts: [],
      error: error instanceof Error ? error.message : String(error),
    };
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

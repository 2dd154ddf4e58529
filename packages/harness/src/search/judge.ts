import { mean } from '@palimpsest/base';
import { canonicalJson } from '../cells/canonical-json.js';
import type { CellResult } from '../cells/cell.js';
import type { EvaluationRegistry } from '../cells/task.js';
import { isSame, type Trial } from './trials.js';

/** What a trial reached. */
export interface JudgedTrial extends Trial {
  /** Mean over seeds per task, in the task's own unit; tasks that could not be computed with every seed are absent. */
  readonly values: Readonly<Record<string, number>>;
  /** Mean over the tasks of where the value stands between the worst (0) and the best (1) of all trials of all models. */
  readonly score: number;
  /** Whether it was computed again with the final seeds. */
  readonly isFinalist: boolean;
}

/**
 * Judges trials by their results, best first within each model. A trial that lacks a task, since it failed there with
 * one seed or with all, has the worst place in it: a mean of the seeds that went well would favour settings that often fail.
 *
 * @param finalists those of the trials that were computed with more seeds than the others; they come before these
 */
export function judgeTrials(
  trials: readonly Trial[],
  results: readonly CellResult[],
  { tasks }: EvaluationRegistry,
  finalists: readonly Trial[] = [],
): JudgedTrial[] {
  const names = [...new Set(results.map(({ spec }) => spec.task))];
  const valued = trials.map((trial) => ({ trial, values: valuesOf(trial, results, tasks) }));
  const ranges = names.map((name) => {
    const found = valued.flatMap(({ values }) => values[name] ?? []);
    const isHigherBetter = tasks.find((task) => task.name === name)?.headline.higherIsBetter ?? true;
    const [low, high] = [Math.min(...found), Math.max(...found)];
    return isHigherBetter ? { name, worst: low, best: high } : { name, worst: high, best: low };
  });
  const judged = valued.map(({ trial, values }): JudgedTrial => {
    const places = ranges.map(({ name, worst, best }) => placeOf(values[name], worst, best));
    const isFinalist = finalists.some((finalist) => isSame(finalist, trial));
    return { ...trial, values, score: places.length === 0 ? 0 : mean(places), isFinalist };
  });
  const models = [...new Set(trials.map(({ model }) => model))];
  return models.flatMap((model) =>
    judged
      .filter((trial) => trial.model === model)
      .sort((a, b) => Number(b.isFinalist) - Number(a.isFinalist) || b.score - a.score),
  );
}

function placeOf(value: number | undefined, worst: number, best: number): number {
  if (value === undefined) return 0;
  return best === worst ? 1 : (value - worst) / (best - worst);
}

function valuesOf(
  trial: Trial,
  results: readonly CellResult[],
  tasks: EvaluationRegistry['tasks'],
): Record<string, number> {
  const own = results.filter(
    ({ spec }) =>
      spec.model === trial.model &&
      spec.learningRate === trial.learningRate &&
      canonicalJson(spec.modelOptions) === canonicalJson(trial.modelOptions),
  );
  const byTask = new Map<string, (number | undefined)[]>();
  for (const result of own) {
    byTask.set(result.spec.task, [...(byTask.get(result.spec.task) ?? []), measured(result, tasks)]);
  }
  return Object.fromEntries(
    [...byTask].flatMap(([task, values]) =>
      values.every((value) => value !== undefined) ? [[task, mean(values)]] : [],
    ),
  );
}

/** The mean over everything that was asked, beyond the training length too; a task without slices by its headline. */
function measured({ spec, outcome }: CellResult, tasks: EvaluationRegistry['tasks']): number | undefined {
  if (!outcome) return undefined;
  const slices = outcome.metrics.filter(({ name }) => name === 'accuracy by slice');
  if (slices.length > 0) return mean(slices.map(({ value }) => value));
  const headline = tasks.find(({ name }) => name === spec.task)?.headline.metric;
  return outcome.metrics.find(({ name }) => name === headline)?.value;
}

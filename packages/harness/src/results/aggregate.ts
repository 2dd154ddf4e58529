import { canonicalJson } from '../cells/canonical-json.js';
import type { CellMetric, CellResult, CellSpec } from '../cells/cell.js';
import type { Contender, EvaluationRegistry, Task } from '../cells/task.js';
import { groupBy } from './group-by.js';

/** The headline at one learning rate. */
export interface RateSummary {
  readonly learningRate: number | undefined;
  /** Mean over seeds; undefined when every cell failed. */
  readonly mean: number | undefined;
  /** Over seeds; with one seed, that of the cell itself. */
  readonly standardError: number | undefined;
  readonly results: readonly CellResult[];
  readonly failures: readonly CellResult[];
}

/** Cells that differ only in seed and learning rate. */
export interface Aggregate {
  readonly task: Task;
  readonly contender: Contender | undefined;
  readonly taskOptions: CellSpec['taskOptions'];
  readonly modelOptions: CellSpec['modelOptions'];
  readonly engine: string;
  /** Every rate that was tried, in ascending order. */
  readonly rates: readonly RateSummary[];
  /** The rate with the best mean headline. */
  readonly best: RateSummary;
}

/**
 * Groups cells that differ only in seed and learning rate, and picks each group's best rate by the mean of its task's
 * headline. Cells of tasks that the registry does not know are left out. Order: tasks as registered, then first mention.
 */
export function aggregate(results: readonly CellResult[], registry: EvaluationRegistry): Aggregate[] {
  return registry.tasks.flatMap((task) => {
    const groups = groupBy(
      results.filter(({ spec }) => spec.task === task.name),
      ({ spec: { seed: _, learningRate: __, ...rest } }) => canonicalJson(rest),
    );
    return [...groups.values()].map((group) => summarise(task, group, registry));
  });
}

/** The number that stands for a cell: that without a slice, or the first of that name. */
export function headlineMetric({ outcome }: CellResult, { headline }: Task): CellMetric | undefined {
  const named = outcome?.metrics.filter(({ name }) => name === headline.metric) ?? [];
  return named.find(({ slice }) => Object.keys(slice).length === 0) ?? named[0];
}

function summarise(task: Task, group: readonly CellResult[], { contenders }: EvaluationRegistry): Aggregate {
  const { model, taskOptions, modelOptions, engine } = group[0]!.spec;
  const byRate = [...groupBy(group, ({ spec }) => spec.learningRate)];
  byRate.sort(([a = 0], [b = 0]) => a - b);
  const rates = byRate.map(([learningRate, results]) => summariseRate(task, learningRate, results));
  const better = task.headline.higherIsBetter ? 1 : -1;
  const worth = ({ mean }: RateSummary) => (mean === undefined ? Number.NEGATIVE_INFINITY : better * mean);
  const best = rates.reduce((chosen, rate) => (worth(rate) > worth(chosen) ? rate : chosen));
  const contender = contenders.find(({ name }) => name === model);
  return { task, contender, taskOptions, modelOptions, engine, rates, best };
}

function summariseRate(
  task: Task,
  learningRate: number | undefined,
  group: readonly CellResult[],
): RateSummary {
  const results = group.filter(({ status }) => status === 'done');
  const failures = group.filter(({ status }) => status === 'failed');
  const metrics = results.flatMap((result) => headlineMetric(result, task) ?? []);
  return { learningRate, ...meanOf(metrics), results, failures };
}

function meanOf(metrics: readonly CellMetric[]): Pick<RateSummary, 'mean' | 'standardError'> {
  const count = metrics.length;
  if (count === 0) return { mean: undefined, standardError: undefined };
  const mean = metrics.reduce((sum, { value }) => sum + value, 0) / count;
  if (count === 1) return { mean, standardError: metrics[0]!.standardError };
  const variance = metrics.reduce((sum, { value }) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { mean, standardError: Math.sqrt(variance / count) };
}

import { errorOfMean, maximum, mean } from '@palimpsest/base';
import { canonicalJson } from '../cells/canonical-json.js';
import type { CellMetric, CellResult, Curve } from '../cells/cell.js';
import { cellLabel } from '../cells/label.js';
import type { EvaluationRegistry, Task } from '../cells/task.js';
import type { AggregatedMetric, Entry, FailedCell, Rate } from './entry.js';

type Done = CellResult & { readonly outcome: NonNullable<CellResult['outcome']> };

/**
 * Puts cells together that differ in nothing but seed and learning rate. The rate with the best mean headline counts; the
 * others stay as a grid. Values are means over seeds with their standard error; with one seed the cell's own error stands.
 */
export function aggregate(results: readonly CellResult[], { tasks }: EvaluationRegistry): Entry[] {
  const done = results.filter((result): result is Done => result.status === 'done' && !!result.outcome);
  const groups = groupBy(done, ({ spec: { task, taskOptions, model, modelOptions, engine } }) =>
    canonicalJson({ task, taskOptions, modelOptions, engine, model }),
  );
  return [...groups.values()].map((group) => {
    const task = tasks.find(({ name }) => name === group[0]!.spec.task);
    const byRate = [...groupBy(group, ({ spec }) => String(spec.learningRate ?? '')).values()];
    const rates = byRate.map((cells) => rateOf(cells, task));
    const best = indexOfBest(rates, task);
    return entryOf(byRate[best]!, rates, rates[best]!);
  });
}

/** Cells that could not be computed, with the reason. */
export function failedCells(results: readonly CellResult[]): FailedCell[] {
  return results
    .filter(({ status }) => status === 'failed')
    .map(({ key, spec, error }) => ({
      key,
      spec,
      label: cellLabel(spec),
      error: error ?? 'no reason was given',
    }));
}

function rateOf(cells: readonly Done[], task: Task | undefined): Rate {
  const { learningRate } = cells[0]!.spec;
  const metric = task?.headline.metric ?? cells[0]!.outcome.metrics[0]?.name;
  const values = cells.flatMap(({ outcome }) => {
    const found = outcome.metrics.find(({ name }) => name === metric);
    return found ? [found.value] : [];
  });
  const { mean, error } = summary(values);
  return {
    learningRate,
    headline: values.length > 0 ? mean : undefined,
    standardError: error,
    seeds: cells.map(({ spec }) => spec.seed).sort((a, b) => a - b),
  };
}

function indexOfBest(rates: readonly Rate[], task: Task | undefined): number {
  const sign = (task?.headline.higherIsBetter ?? true) ? 1 : -1;
  const score = ({ headline }: Rate) => (headline === undefined ? Number.NEGATIVE_INFINITY : sign * headline);
  return rates.reduce((best, rate, index) => (score(rate) > score(rates[best]!) ? index : best), 0);
}

function entryOf(cells: readonly Done[], rates: readonly Rate[], best: Rate): Entry {
  const first = cells[0]!;
  const { task, taskOptions, model, modelOptions, engine } = first.spec;
  const { parameters, stateBytes, modelConfig } = first.outcome;
  const checked = cells.filter(({ outcome }) => outcome.passed !== undefined);
  return {
    task,
    taskOptions,
    model,
    modelOptions,
    engine,
    learningRate: best.learningRate,
    seeds: best.seeds,
    rates: [...rates].sort((a, b) => (a.learningRate ?? 0) - (b.learningRate ?? 0)),
    metrics: aggregateMetrics(cells),
    curves: meanCurves(cells),
    parameters,
    stateBytes,
    modelConfig,
    passed: checked.length === 0 ? undefined : checked.every(({ outcome }) => outcome.passed),
    notes: [...new Set(cells.flatMap(({ outcome }) => outcome.notes))],
    seconds: mean(cells.map(({ seconds }) => seconds)),
    cpuSeconds: mean(cells.map(({ cpuSeconds }) => cpuSeconds)),
    peakMemoryBytes: maximum(cells.map(({ peakMemoryBytes }) => peakMemoryBytes)),
    cells: cells.map(({ key }) => key),
  };
}

function aggregateMetrics(cells: readonly Done[]): AggregatedMetric[] {
  const all = cells.flatMap(({ spec: { seed }, outcome }) =>
    outcome.metrics.map((metric) => ({ seed, metric })),
  );
  const groups = groupBy(all, ({ metric: { name, slice } }) => canonicalJson({ name, slice }));
  return [...groups.values()].map((measured) => {
    const [first] = measured.map(({ metric }) => metric);
    const { name, unit, slice, higherIsBetter, samples } = first!;
    const { mean: value, error } = summary(measured.map(({ metric }) => metric.value));
    const standardError = error ?? first!.standardError;
    const bySeed = measured.map(({ seed, metric }): [number, number] => [seed, metric.value]);
    return {
      name,
      unit,
      slice,
      value,
      seeds: measured.length,
      higherIsBetter,
      standardError,
      samples,
      bySeed: bySeed.length < 2 ? undefined : bySeed.sort(([a], [b]) => a - b),
    };
  });
}

/** Curves of equal name, averaged over seeds where all have the same points; else that of the first seed. */
function meanCurves(cells: readonly Done[]): Curve[] {
  return cells[0]!.outcome.curves.map((curve) => {
    const others = cells.map(({ outcome }) => outcome.curves.find(({ name }) => name === curve.name));
    const isAligned = others.every(
      (other) =>
        other?.points.length === curve.points.length &&
        other.points.every(([x], index) => x === curve.points[index]![0]),
    );
    if (!isAligned) return curve;
    const points = curve.points.map(([x], index): [number, number] => [
      x,
      mean(others.map((other) => other!.points[index]![1])),
    ]);
    return { ...curve, points };
  });
}

/** Mean, and standard error of the mean when there are two values or more. */
function summary(values: readonly number[]): { mean: number; error?: number } {
  const average = mean(values);
  return values.length < 2 ? { mean: average } : { mean: average, error: errorOfMean(values) };
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** The first metric of a name, the one that heads a task among them. */
export function metricOf<M extends Pick<CellMetric, 'name'>>(
  { metrics }: { readonly metrics: readonly M[] },
  name: string,
): M | undefined {
  return metrics.find((metric) => metric.name === name);
}

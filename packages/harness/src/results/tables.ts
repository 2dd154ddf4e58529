import type { EvaluationRegistry, Task } from '../cells/task.js';
import { formatBytes, formatMetric } from '../report/format.js';
import { farthest, valueBeyond } from '../report/verdicts/farthest.js';
import { metricOf } from './aggregate.js';
import type { ResultsDocument } from './document.js';
import type { Entry } from './entry.js';
import { Labels, optionWords } from './labels.js';
import { parameterWords } from './parameters.js';

/** One task under one set of options, with everything that was asked of it. */
export interface TaskGroup {
  readonly task: Task | undefined;
  readonly name: string;
  readonly title: string;
  readonly options: string;
  readonly entries: readonly Entry[];
}

/** Entries by task and its options, in the order of the registry; within a group the best first. */
export function taskGroups(document: ResultsDocument, registry: EvaluationRegistry): TaskGroup[] {
  const labels = new Labels(registry);
  const groups = new Map<string, Entry[]>();
  for (const entry of document.entries) {
    // What a task measures of several systems stands in one table.
    const { system: _, ...options } = entry.taskOptions;
    const key = JSON.stringify([entry.task, options]);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  const all = [...groups.values()];
  return all.map((entries) => {
    const { task: name, taskOptions } = entries[0]!;
    const task = registry.tasks.find((candidate) => candidate.name === name);
    const { system: _, ...rest } = taskOptions;
    const options = optionWords(rest).join(', ');
    const isAlone = all.filter(([first]) => first!.task === name).length === 1;
    return {
      task,
      name,
      title: isAlone ? labels.task(name) : `${labels.task(name)} (${options || 'as defined'})`,
      options,
      entries: task ? sorted(entries, task) : entries,
    };
  });
}

function sorted(entries: readonly Entry[], { headline }: Task): Entry[] {
  const sign = headline.higherIsBetter ? -1 : 1;
  const value = (entry: Entry) => metricOf(entry, headline.metric)?.value ?? Number.POSITIVE_INFINITY;
  return [...entries].sort((a, b) => sign * (value(a) - value(b)) || 0);
}

/**
 * Rows of a headline table: model, headline, the farthest beyond training, learning rate, seeds, width, parameters, memory,
 * time.
 */
export function headlineRows({ task, entries }: TaskGroup, labels: Labels): string[][] {
  const far = farthest({ task, entries });
  return entries.map((entry) => {
    const metric = metricOf(entry, task?.headline.metric ?? '') ?? entry.metrics[0];
    const beyond = far && valueBeyond(entry, far);
    return [
      labels.entry(entry),
      metric ? formatMetric(metric) : '-',
      beyond && metric ? formatMetric({ ...beyond, unit: metric.unit }) : '',
      entry.learningRate === undefined ? '' : String(entry.learningRate),
      String(entry.seeds.length),
      String(labels.width(entry) ?? ''),
      parameterWords(entry, entries, labels),
      entry.stateBytes === undefined ? '' : formatBytes(entry.stateBytes),
      `${entry.cpuSeconds.toFixed(1)} s`,
    ];
  });
}

export const headlineColumns = [
  '',
  'headline',
  'beyond training',
  'rate',
  'seeds',
  'width',
  'parameters',
  'memory',
  'CPU time',
] as const;

/** Names of the columns of a task's headline table: what its headline is, and where beyond training it was asked. */
export function headlineNames({ task, entries }: TaskGroup): string[] {
  const far = farthest({ task, entries });
  return headlineColumns.map((column) => {
    if (column === 'headline' && task) {
      const { metric, higherIsBetter } = task.headline;
      return `${metric}, ${higherIsBetter ? 'higher' : 'lower'} is better`;
    }
    return column === 'beyond training' && far ? `beyond training: ${far.words}` : column;
  });
}

/** Columns of a table in which some row says something; the first always. */
export function filledColumns(rows: readonly (readonly string[])[]): number[] {
  return headlineColumns.flatMap((_, index) =>
    index === 0 || rows.some((row) => row[index] !== '') ? [index] : [],
  );
}

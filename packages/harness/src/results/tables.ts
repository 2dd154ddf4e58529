import type { EvaluationRegistry, Task } from '../cells/task.js';
import { formatBytes, formatMetric } from '../report/format.js';
import { metricOf } from './aggregate.js';
import type { ResultsDocument } from './document.js';
import type { Entry } from './entry.js';
import { Labels, optionWords } from './labels.js';

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

/** Cells of a headline table: model, headline, learning rate, seeds, parameters, memory, time. */
export function headlineRow(entry: Entry, task: Task | undefined, labels: Labels): string[] {
  const metric = metricOf(entry, task?.headline.metric ?? '') ?? entry.metrics[0];
  return [
    labels.entry(entry),
    metric ? formatMetric(metric) : '-',
    entry.learningRate === undefined ? '' : String(entry.learningRate),
    entry.seeds.length === 1 ? '1' : String(entry.seeds.length),
    entry.parameters === undefined ? '' : entry.parameters.toLocaleString('en-US').replaceAll(',', ' '),
    entry.stateBytes === undefined ? '' : formatBytes(entry.stateBytes),
    `${entry.cpuSeconds.toFixed(1)} s`,
  ];
}

export const headlineColumns = ['', 'headline', 'rate', 'seeds', 'parameters', 'memory', 'CPU time'] as const;

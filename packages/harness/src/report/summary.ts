import type { Aggregate } from '../results/aggregate.js';
import { groupBy } from '../results/group-by.js';
import { aggregateName } from './aggregate-name.js';
import { formatMetric, formatNumber } from './format.js';
import { textTable } from './table.js';

/** The table that ends an evaluation on the terminal: a row per model and task, at the best learning rate. */
export function formatAggregates(groups: readonly Aggregate[]): string {
  const rows = [...groupBy(groups, ({ task }) => task)].flatMap(([task, own]) =>
    own.map((group, index) => [
      holds(group) ? '✓' : '✗',
      index === 0 ? task.name : '',
      aggregateName(group, own),
      ...headlineOf(group),
      bytesOf(group),
    ]),
  );
  const headings = ['', 'task', 'model', 'measured', 'value', 'state bytes'];
  return textTable(headings, rows, ['left', 'left', 'left', 'left', 'right', 'right']);
}

/** Whether every cell was finished and every check in them held. */
export function holds({ rates }: Aggregate): boolean {
  return rates.every(
    ({ failures, results }) =>
      failures.length === 0 && results.every(({ outcome }) => outcome?.passed !== false),
  );
}

/** Name and value of a group's headline, or why there is none. */
export function headlineOf({ task, best }: Aggregate): [string, string] {
  const { metric, unit } = task.headline;
  if (best.mean === undefined) return [best.failures[0]?.error ?? metric, '-'];
  const { mean: value, standardError } = best;
  return [metric, formatMetric({ value, unit, ...(standardError === undefined ? {} : { standardError }) })];
}

/** Bytes of state of a group's model, when its task says. */
export function bytesOf({ best }: Aggregate): string {
  const bytes = best.results[0]?.outcome?.stateBytes;
  return bytes === undefined ? '' : formatNumber(bytes);
}

import { headlineColumns, headlineRow, type TaskGroup } from '../../results/tables.js';
import { formatNumber } from '../format.js';
import { details, htmlTable, paragraph } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { ReportContext } from './context.js';

/** The headline table of a task, its learning rates, and what it means. */
export function taskTables(group: TaskGroup, context: ReportContext): Markup[] {
  const { task, entries, options } = group;
  const { labels } = context;
  const columns = headlineColumns.map((column, index) =>
    index === 0
      ? 'model'
      : index === 1 && task
        ? `${task.headline.metric}, ${task.headline.higherIsBetter ? 'higher' : 'lower'} is better`
        : column,
  );
  const hasModels = entries.some(({ model }) => model !== undefined);
  const shown = columns.map((_, index) => index < 2 || index === 6 || hasModels);
  const rows = entries.map((entry) => headlineRow(entry, task, labels).filter((_, index) => shown[index]));
  return [
    htmlTable(
      columns.filter((_, index) => shown[index]),
      rows,
    ),
    ...rateGrid(group, context),
    ...(options ? [details('options of the task', paragraph(options))] : []),
  ];
}

/** Headline at every learning rate that was tried, when there were several. */
function rateGrid({ entries }: TaskGroup, { labels }: ReportContext): Markup[] {
  if (!entries.some(({ rates }) => rates.length > 1)) return [];
  const all = entries.flatMap(({ rates }) => rates.map(({ learningRate }) => learningRate));
  const rates = [...new Set(all)].filter((rate) => rate !== undefined).sort((a, b) => a - b);
  const rows = entries.map((entry) => [
    labels.entry(entry),
    ...rates.map((rate) => {
      const found = entry.rates.find(({ learningRate }) => learningRate === rate);
      return found?.headline === undefined ? '' : formatNumber(found.headline);
    }),
  ]);
  return [details('every learning rate that was tried', htmlTable(['model', ...rates.map(String)], rows))];
}

import { filledColumns, headlineNames, headlineRows, type TaskGroup } from '../../results/tables.js';
import { formatNumber } from '../format.js';
import { details, htmlTable, paragraph } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { ReportContext } from './context.js';
import { verdictParts } from './verdict-parts.js';

/** The headline table of a task, its terms, what it says in words, its learning rates, and how the task was asked. */
export function taskTables(group: TaskGroup, context: ReportContext): Markup[] {
  const rows = headlineRows(group, context.labels);
  const [, ...names] = headlineNames(group);
  const columns = ['model', ...names];
  const shown = filledColumns(rows);
  const heads = shown.map((index) => columns[index]!);
  return [
    htmlTable(
      heads,
      rows.map((row) => shown.map((index) => row[index]!)),
    ),
    ...context.explain([...heads, ...rows.flat()]),
    ...verdictParts(group, context),
    ...rateGrid(group, context),
    ...(group.options ? [details('options of the task', paragraph(group.options))] : []),
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

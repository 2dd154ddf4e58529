import { wrapLine } from '@palimpsest/base';
import type { EvaluationRegistry } from '../cells/task.js';
import type { ResultsDocument } from '../results/document.js';
import { Labels } from '../results/labels.js';
import { headlineColumns, headlineRows, taskGroups } from '../results/tables.js';
import { textTable } from './table.js';
import { groupVerdicts } from './verdicts/group-verdict.js';

/** What a terminal has room for; the report has the rest. */
const SHOWN = new Set(['', 'headline', 'beyond training', 'parameters', 'memory']);
/** Characters of a line of sentences, where nobody says how many there is room for. */
const LINE = 80;

/**
 * The table that ends an evaluation on the terminal: one row per model and task, what it says in words, and what failed.
 * @param width most characters of a line. Default: no limit for tables, 80 for sentences.
 */
export function formatDocument(
  document: ResultsDocument,
  registry: EvaluationRegistry,
  width?: number,
): string {
  const labels = new Labels(registry);
  const groups = taskGroups(document, registry);
  const isShown = (_: string, index: number) => SHOWN.has(headlineColumns[index]!);
  const rows = groups.flatMap((group) => {
    const headline = group.task?.headline;
    const better = headline
      ? `: ${headline.metric}, ${headline.higherIsBetter ? 'higher' : 'lower'} is better`
      : '';
    return [
      [`${group.title}${better}`],
      ...headlineRows(group, labels).map((row, index) => {
        const { passed } = group.entries[index]!;
        const mark = passed === false ? '✗ ' : passed ? '✓ ' : '  ';
        const [name, ...rest] = row.filter(isShown);
        return [`${mark}${name}`, ...rest];
      }),
      [],
    ];
  });
  const columns = headlineColumns.filter(isShown);
  const source = { registry, labels, failed: document.failed };
  const words = groups.flatMap((group) =>
    groupVerdicts(group, source).flatMap(({ about, sentences }) => [
      `${group.title}${about === '' ? '' : `, ${about}`}:`,
      ...sentences.map((sentence) => wrapLine(`- ${sentence}`, width ?? LINE, 2).join('\n')),
    ]),
  );
  const failed = document.failed.map(({ label, error }) => `✗ ${label}: ${error}`);
  return [
    textTable(columns, rows, ['left', ...columns.slice(1).map(() => 'right' as const)], width).trimEnd(),
    ...(words.length > 0 ? ['', ...words] : []),
    ...(failed.length > 0 ? ['', `${failed.length} cells failed:`, ...failed] : []),
  ].join('\n');
}

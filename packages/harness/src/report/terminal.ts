import type { EvaluationRegistry } from '../cells/task.js';
import type { ResultsDocument } from '../results/document.js';
import { Labels } from '../results/labels.js';
import { headlineColumns, headlineRow, taskGroups } from '../results/tables.js';
import { textTable } from './table.js';

/**
 * The table that ends an evaluation on the terminal: one row per model and task, and what failed.
 * @param width most characters of a line. Default: no limit.
 */
export function formatDocument(
  document: ResultsDocument,
  registry: EvaluationRegistry,
  width?: number,
): string {
  const labels = new Labels(registry);
  const groups = taskGroups(document, registry);
  const rows = groups.flatMap((group) => {
    const headline = group.task?.headline;
    const better = headline
      ? `: ${headline.metric}, ${headline.higherIsBetter ? 'higher' : 'lower'} is better`
      : '';
    return [
      [`${group.title}${better}`],
      ...group.entries.map((entry) => {
        const mark = entry.passed === false ? '✗ ' : entry.passed ? '✓ ' : '  ';
        const [name, ...rest] = headlineRow(entry, group.task, labels);
        return [`${mark}${name}`, ...rest];
      }),
      [],
    ];
  });
  const failed = document.failed.map(({ label, error }) => `✗ ${label}: ${error}`);
  return [
    textTable(
      headlineColumns,
      rows,
      ['left', ...headlineColumns.slice(1).map(() => 'right' as const)],
      width,
    ).trimEnd(),
    ...(failed.length > 0 ? ['', `${failed.length} cells failed:`, ...failed] : []),
  ].join('\n');
}

import { formatNumber } from '../report/format.js';
import { textTable } from '../report/table.js';
import type { CellResult } from './cell.js';
import { cellLabel } from './label.js';
import type { EvaluationRegistry } from './task.js';

/**
 * One row per cell: its headline, or why it failed.
 * @param width most characters of a line. Default: no limit.
 */
export function formatCells(
  results: readonly CellResult[],
  registry: EvaluationRegistry,
  width?: number,
): string {
  const rows = results.map((result) => [
    result.status === 'done' && result.outcome?.passed !== false ? '✓' : '✗',
    cellLabel(result.spec),
    ...headlineOf(result, registry),
    `${result.seconds.toFixed(1)} s`,
    result.spec.engine,
  ]);
  return textTable(
    ['', 'cell', 'measured', 'value', 'time', 'engine'],
    rows,
    ['left', 'left', 'left', 'right', 'right'],
    width,
  );
}

function headlineOf({ spec, outcome, error }: CellResult, { tasks }: EvaluationRegistry): [string, string] {
  if (!outcome) return [error ?? 'failed', ''];
  const name = tasks.find((task) => task.name === spec.task)?.headline.metric;
  const metric = outcome.metrics.find((candidate) => candidate.name === name) ?? outcome.metrics[0];
  if (!metric) return ['nothing', ''];
  return [metric.name, `${formatNumber(metric.value)} ${metric.unit}`.trim()];
}

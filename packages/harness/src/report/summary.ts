import type { Results } from '../results/schema.js';
import { formatMetric } from './format.js';
import { textTable } from './table.js';

/** The table that ends an evaluation on the terminal: one row per metric, one mark per evaluation. */
export function formatResults(results: Results): string {
  const rows = results.evaluations.flatMap((evaluation) => {
    const mark = evaluation.passed ? '✓' : '✗';
    const seconds = `${evaluation.seconds.toFixed(1)} s`;
    if (evaluation.metrics.length === 0)
      return [[mark, evaluation.name, evaluation.error ?? '-', '', seconds]];
    return evaluation.metrics.map((metric, index) => [
      index === 0 ? mark : '',
      index === 0 ? evaluation.name : '',
      metric.name,
      formatMetric(metric),
      index === 0 ? seconds : '',
    ]);
  });
  return textTable(['', 'evaluation', 'measured', 'value', 'time'], rows, [
    'left',
    'left',
    'left',
    'right',
    'right',
  ]);
}

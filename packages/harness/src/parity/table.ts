import { textTable } from '@palimpsest/base';
import {
  type CaseResult,
  type GoldenReport,
  goldenFailures,
  type OutputComparison,
} from '@palimpsest/base/golden';

/**
 * A report for people: one row per compared output with its largest absolute and relative error and the share of the
 * tolerance that it used, then the reasons of all failures and the totals.
 */
export function formatParityReport(report: GoldenReport): string {
  const rows = report.cases.flatMap((result) => caseRows(result));
  const table = textTable(
    ['', 'case', 'kind', 'output', 'values', 'max abs', 'max rel', 'of tolerance'],
    rows,
    ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right'],
  );
  const reasons = goldenFailures(report).map((line) => `✗ ${line}`);
  const total = `${report.passed} of ${report.cases.length} cases passed on '${report.engine}' in ${report.seconds.toFixed(1)} s`;
  return [table, '', ...(reasons.length > 0 ? [...reasons, ''] : []), total].join('\n');
}

function caseRows(result: CaseResult): string[][] {
  const label = [`${result.system}/${result.name}`, result.kind];
  if (result.outputs.length === 0) return [['✗', ...label, '-', '', '', '', '']];
  return result.outputs.map((output, index) => [
    output.passed ? '✓' : '✗',
    ...(index === 0 ? label : ['', '']),
    output.name,
    String(output.count),
    formatError(output.maxAbs),
    formatError(output.maxRel),
    formatShare(output),
  ]);
}

function formatError(value: number): string {
  if (value === 0) return '0';
  return Number.isFinite(value) ? value.toExponential(1) : 'inf';
}

function formatShare({ exact, toleranceUsed }: OutputComparison): string {
  if (exact) return toleranceUsed === 0 ? 'exact' : 'differs';
  return Number.isFinite(toleranceUsed)
    ? `${(toleranceUsed * 100).toFixed(toleranceUsed < 0.1 ? 1 : 0)} %`
    : 'inf';
}

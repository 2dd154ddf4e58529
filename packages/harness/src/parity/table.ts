import { textTable } from '@palimpsest/base';
import {
  type CaseResult,
  type GoldenReport,
  goldenFailures,
  type OutputComparison,
} from '@palimpsest/base/golden';

export interface ParityFormat {
  /** A row per compared output, in place of one per kind of case. Default false. */
  readonly all?: boolean;
  /** Most characters of a line. Default: no limit. */
  readonly width?: number;
}

/**
 * A report for people: one row per kind of case with the largest share of a tolerance that an output used, or one per compared
 * output with its errors; then the reasons of all failures and the totals.
 */
export function formatParityReport(report: GoldenReport, options: ParityFormat = {}): string {
  const reasons = goldenFailures(report).map((line) => `✗ ${line}`);
  const total = `${report.passed} of ${report.cases.length} cases passed on '${report.engine}' in ${report.seconds.toFixed(1)} s`;
  return [
    options.all === true ? outputTable(report, options.width) : kindTable(report, options.width),
    '',
    ...(reasons.length > 0 ? [...reasons, ''] : []),
    total,
  ].join('\n');
}

function outputTable(report: GoldenReport, width: number | undefined): string {
  return textTable(
    ['', 'case', 'kind', 'output', 'values', 'max abs', 'max rel', 'of tolerance'],
    report.cases.flatMap((result) => caseRows(result)),
    ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right'],
    width,
  );
}

function kindTable(report: GoldenReport, width: number | undefined): string {
  const kinds = new Map<string, CaseResult[]>();
  for (const result of report.cases) {
    const kind = `${result.system}/${result.kind}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), result]);
  }
  const rows = [...kinds].map(([kind, cases]) => {
    const outputs = cases.flatMap((result) => result.outputs);
    const values = outputs.reduce((sum, { count }) => sum + count, 0);
    const passed = cases.filter((result) => result.passed).length;
    return [
      passed === cases.length ? '✓' : '✗',
      kind,
      passed === cases.length ? String(passed) : `${passed} of ${cases.length}`,
      String(outputs.length),
      String(values),
      worstShare(outputs),
    ];
  });
  return textTable(
    ['', 'kind', 'cases', 'outputs', 'values', 'of tolerance'],
    rows,
    ['left', 'left', 'right', 'right', 'right', 'right'],
    width,
  );
}

/** The largest share of a tolerance that one of the outputs used. */
function worstShare(outputs: readonly OutputComparison[]): string {
  const [first, ...others] = outputs;
  if (!first) return '';
  const used = ({ toleranceUsed }: OutputComparison) =>
    Number.isNaN(toleranceUsed) ? Number.POSITIVE_INFINITY : toleranceUsed;
  return formatShare(others.reduce((worst, output) => (used(output) > used(worst) ? output : worst), first));
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

import type { CellMetric } from '../cells/cell.js';

/** Rounds a number for a table: four significant digits, thousands apart, no exponent in the usual range. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e15 || size < 1e-4) return value.toExponential(2);
  if (Number.isInteger(value) || size >= 1000) return groupThousands(Math.round(value));
  return String(Number(value.toPrecision(4)));
}

/** A metric's value with its standard error, if it has one, and its unit. */
export function formatMetric({
  value,
  unit,
  standardError,
}: Pick<CellMetric, 'value' | 'unit' | 'standardError'>): string {
  const error = standardError === undefined ? '' : ` ± ${formatNumber(standardError)}`;
  return `${formatNumber(value)}${error} ${unit}`.trim();
}

function groupThousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

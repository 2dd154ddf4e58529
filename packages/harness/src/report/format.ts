import { formatNumber } from '@palimpsest/base';
import type { CellMetric } from '../cells/cell.js';

export { formatBytes, formatNumber } from '@palimpsest/base';

/** A metric's value with its standard error, if it has one, and its unit, as in '98.6 ± 0.4 %'. */
export function formatMetric({
  value,
  unit,
  standardError,
}: Pick<CellMetric, 'value' | 'unit' | 'standardError'>): string {
  const error = standardError === undefined ? '' : ` ± ${formatError(standardError)}`;
  return `${formatNumber(value)}${error} ${unit}`.trim();
}

/** Two significant digits: an error tells no more. */
function formatError(error: number): string {
  return error === 0 ? '0' : String(Number(error.toPrecision(2)));
}

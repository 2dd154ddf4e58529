import type { Entry } from './entry.js';
import type { Labels } from './labels.js';

/** Parameters that differ by more than this share are marked. */
const FAIR = 0.05;

/**
 * Parameters of an entry, marked where they differ by more than 5 % from the median of what has the same width in the table,
 * as in '12 416 (+18 %)'.
 */
export function parameterWords(entry: Entry, table: readonly Entry[], labels: Labels): string {
  const { parameters } = entry;
  if (parameters === undefined) return '';
  const words = parameters.toLocaleString('en-US').replaceAll(',', ' ');
  const width = labels.width(entry);
  if (width === undefined) return words;
  const median = medianOf(
    table.flatMap((other) =>
      labels.width(other) === width && other.parameters !== undefined ? [other.parameters] : [],
    ),
  );
  const share = parameters / median - 1;
  if (!(Math.abs(share) > FAIR)) return words;
  return `${words} (${share > 0 ? '+' : '−'}${Math.round(100 * Math.abs(share))} %)`;
}

/** The middle value; of an even number the lower of the two in the middle, which is one that exists. */
function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

import { maximum } from '../statistics.js';
import { displayWidth, wrapLine } from './wrap.js';

/** How a column's cells are set. */
export type Alignment = 'left' | 'right';

/** Columns of text are not made narrower than this while others can be. */
const NARROWEST = 14;
const GAP = 2;

/**
 * Sets rows in columns for a terminal: a heading, a rule, and cells padded to the widest of their column. Where that is too
 * wide, the widest columns of text are broken into lines; where that is not enough, every row becomes a list. A row of one
 * cell, of several columns, takes the whole line.
 * @param alignments one per column; missing ones are 'left'.
 * @param width most characters of a line. Default: no limit.
 */
export function textTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
  width = Number.POSITIVE_INFINITY,
): string {
  const natural = headings.map((heading, column) =>
    maximum(
      rows.map((row) => (isWhole(row, headings) ? 0 : displayWidth(row[column] ?? ''))),
      displayWidth(heading),
    ),
  );
  const widths = fitted(natural, headings, alignments, width);
  if (widths === undefined) return stackedRows(headings, rows, width);
  const line = (cells: readonly string[]) =>
    widths
      .map((room, column) => pad(cells[column] ?? '', room, alignments[column] ?? 'left'))
      .join(' '.repeat(GAP))
      .trimEnd();
  const wrapped = (cells: readonly string[]) => {
    if (isWhole(cells, headings)) return wrapLine(cells[0]!, width, GAP);
    const parts = widths.map((room, column) => wrapLine(cells[column] ?? '', room));
    const height = maximum(parts.map(({ length }) => length));
    return Array.from({ length: height }, (_, at) => line(parts.map((part) => part[at] ?? '')));
  };
  const rule = widths.map((room) => '-'.repeat(room)).join(' '.repeat(GAP));
  return [line(headings), rule, ...rows.flatMap(wrapped)].join('\n');
}

const isWhole = (row: readonly string[], headings: readonly string[]) =>
  row.length === 1 && headings.length > 1;

/** Widths that fit, the widest columns of text made narrower; nothing when there are none. */
function fitted(
  natural: readonly number[],
  headings: readonly string[],
  alignments: readonly Alignment[],
  width: number,
): number[] | undefined {
  const widths = [...natural];
  const least = natural.map((own, column) =>
    alignments[column] === 'right'
      ? own
      : Math.min(own, Math.max(NARROWEST, displayWidth(headings[column]!))),
  );
  const room = width - GAP * (widths.length - 1);
  let excess = widths.reduce((sum, own) => sum + own, 0) - room;
  while (excess > 0) {
    const shrinkable = widths.flatMap((own, column) => (own > least[column]! ? [column] : []));
    if (shrinkable.length === 0) return undefined;
    const widest = shrinkable.reduce((best, column) => (widths[column]! > widths[best]! ? column : best));
    widths[widest]! -= 1;
    excess -= 1;
  }
  return widths;
}

/** Every row as its first cells and, below them, the others behind the names of their columns. */
function stackedRows(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const unnamed = headings.findIndex((heading) => heading !== '');
  const titled = Math.max(0, unnamed) + 1;
  const room = maximum(headings.slice(titled).map(displayWidth));
  return rows
    .map((row) => {
      const title = row.slice(0, titled).filter((cell) => cell !== '');
      const rest = headings.slice(titled).flatMap((heading, index) => {
        const cell = row[titled + index] ?? '';
        const line = `    ${pad(heading, room, 'left')}  ${cell}`;
        return cell === '' ? [] : wrapLine(line, width, room + 6);
      });
      return [...wrapLine(title.join(' '), width, 2), ...rest].join('\n');
    })
    .join('\n');
}

function pad(cell: string, width: number, alignment: Alignment): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return alignment === 'right' ? blanks + cell : cell + blanks;
}

import { maximum } from '../statistics.js';

/** How a column's cells are set. */
export type Alignment = 'left' | 'right';

/**
 * Sets rows in columns for a terminal: a heading, a rule, and cells padded to the widest of their column.
 * @param alignments one per column; missing ones are 'left'.
 */
export function textTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string {
  const widths = headings.map((heading, column) =>
    maximum(
      rows.map((row) => displayWidth(row[column] ?? '')),
      displayWidth(heading),
    ),
  );
  const line = (cells: readonly string[]) =>
    widths
      .map((width, column) => pad(cells[column] ?? '', width, alignments[column] ?? 'left'))
      .join('  ')
      .trimEnd();
  return [line(headings), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

function pad(cell: string, width: number, alignment: Alignment): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return alignment === 'right' ? blanks + cell : cell + blanks;
}

/** Width in code points: an emoji or an accent counts once. */
function displayWidth(text: string): number {
  return [...text].length;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A line or a set of marks of a plot. */
export interface Plotted {
  readonly points: readonly Point[];
  /** Sign of every point; without it the points are joined by a line. */
  readonly mark?: string;
}

const ROWS = 8;
/** Room for the labels of the vertical axis. */
const MARGIN = 8;
/** Bits of a braille pattern, by row and column of its eight dots. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/**
 * Draws series against each other with braille patterns: two by four dots in every character.
 * @param columns characters of a line, at least 20
 * @returns nothing when there are fewer than two points to join, or none that is finite
 */
export function plotLines(series: readonly Plotted[], columns: number, xTitle: string): string | undefined {
  const points = series.flatMap(({ points }) => points).filter(({ y }) => Number.isFinite(y));
  if (!series.some(({ mark, points }) => mark === undefined && points.length > 1) || points.length < 2)
    return undefined;
  const [left, right] = rangeOf(points.map(({ x }) => x));
  const [low, high] = rangeOf(points.map(({ y }) => y));
  const width = Math.max(4, columns - MARGIN - 2);
  const cells = Array.from({ length: ROWS }, () => new Array<string | number>(width).fill(0));
  const column = (x: number) => ((x - left) / (right - left)) * (width * 2 - 1);
  const row = (y: number) => ((high - y) / (high - low)) * (ROWS * 4 - 1);
  for (const { points: own, mark } of series) {
    if (mark === undefined)
      joinDots(
        cells,
        own.map(({ x, y }) => ({ x: column(x), y: row(y) })),
      );
    else for (const { x, y } of own) cells[row(y) >> 2]![column(x) >> 1] = mark;
  }
  const labels = new Map([
    [0, high.toPrecision(4)],
    [ROWS - 1, low.toPrecision(4)],
  ]);
  const lines = cells.map((own, at) =>
    `${(labels.get(at) ?? '').padStart(MARGIN - 1)} ┤${own.map(signOf).join('')}`.trimEnd(),
  );
  const ends = [String(left), xTitle, String(right)];
  const blanks = Math.max(2, width - ends.join('').length);
  const before = Math.floor(blanks / 2);
  const axis = `${' '.repeat(MARGIN)}└${'─'.repeat(width)}`;
  const scale = `${' '.repeat(MARGIN + 1)}${ends[0]}${' '.repeat(before)}${ends[1]}${' '.repeat(blanks - before)}${ends[2]}`;
  return [...lines, axis, scale].join('\n');
}

const signOf = (cell: string | number) =>
  typeof cell === 'string' ? cell : cell === 0 ? ' ' : String.fromCodePoint(0x2800 + cell);

/** The range of values, never empty. */
function rangeOf(values: readonly number[]): [number, number] {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return most > least ? [least, most] : [least, least + 1];
}

function joinDots(cells: (string | number)[][], dots: readonly Point[]): void {
  for (let at = 1; at < dots.length; at++) {
    const from = dots[at - 1]!;
    const [right, down] = [dots[at]!.x - from.x, dots[at]!.y - from.y];
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(right), Math.abs(down))));
    for (let step = 0; step <= steps; step++) {
      const x = Math.round(from.x + (right * step) / steps);
      const y = Math.round(from.y + (down * step) / steps);
      const own = cells[y >> 2]!;
      const cell = own[x >> 1]!;
      if (typeof cell === 'number') own[x >> 1] = cell | DOTS[y & 3]![x & 1]!;
    }
  }
}

import type { RateDistortionRow } from './rate-distortion.js';

/** A markdown table: one line per coder and size. */
export function rateDistortionTable(rows: readonly RateDistortionRow[]): string {
  const lines = rows.map((row) => {
    const cells = [
      row.coder,
      String(row.bytesPerVec),
      row.median.toFixed(4),
      row.p95.toFixed(4),
      String(row.skeletonBytes),
      row.ratioAtN.toFixed(1),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head =
    '| coder | bytes | median error | 95th percentile | skeleton bytes | ratio |\n|---|---|---|---|---|---|';
  return [head, ...lines].join('\n');
}

const WIDTH = 640;
const HEIGHT = 400;
const LEFT = 64;
const RIGHT = 150;
const TOP = 40;
const BOTTOM = 52;
const COLOURS = ['#1b6ca8', '#c44536', '#2a9d6f', '#8e5ea2', '#b8860b', '#4a4a4a'];

/** Median error over bytes per vector, both on logarithmic axes, one line per coder: a self-contained SVG. */
export function rateDistortionSvg(rows: readonly RateDistortionRow[], title: string): string {
  const x = logScale(
    rows.map((row) => row.bytesPerVec),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = logScale(
    rows.map((row) => row.median),
    HEIGHT - BOTTOM,
    TOP,
  );
  const names = [...new Set(rows.map((row) => row.coder))];
  const parts = [
    text(WIDTH / 2, 22, title, 'middle', 15),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, 'bytes per vector', 'middle'),
    text(LEFT, TOP - 8, 'median relative error', 'middle'),
    `<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="#444"/>`,
    ...[...new Set(rows.map((row) => row.bytesPerVec))].map((value) =>
      text(x(value), HEIGHT - BOTTOM + 18, String(value), 'middle'),
    ),
    ...ticks(rows.map((row) => row.median)).flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
      text(LEFT - 6, y(value) + 4, String(value), 'end'),
    ]),
    ...names.map((name, i) =>
      series(
        rows.filter((row) => row.coder === name),
        name,
        i,
        x,
        y,
      ),
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

type Scale = (value: number) => number;

function series(rows: readonly RateDistortionRow[], name: string, index: number, x: Scale, y: Scale): string {
  const colour = COLOURS[index % COLOURS.length]!;
  const points = [...rows]
    .sort((a, b) => a.bytesPerVec - b.bytesPerVec)
    .map((row) => [x(row.bytesPerVec), y(row.median)] as const);
  const line = points.map(([px, py]) => `${px},${py}`).join(' ');
  const dots = points.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3.5" fill="${colour}"/>`).join('');
  const key = TOP + 18 * index;
  return `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}
<rect x="${WIDTH - RIGHT + 16}" y="${key}" width="12" height="12" fill="${colour}"/>
${text(WIDTH - RIGHT + 34, key + 11, name, 'start')}`;
}

function logScale(values: readonly number[], from: number, to: number): Scale {
  const logs = values.map((value) => Math.log(Math.max(value, 1e-9)));
  const low = Math.min(...logs);
  const span = Math.max(Math.max(...logs) - low, 1e-9);
  return (value) =>
    Number((from + ((Math.log(Math.max(value, 1e-9)) - low) / span) * (to - from)).toFixed(2));
}

/** 1, 2 and 5 times powers of ten between the extremes. */
function ticks(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const result: number[] = [];
  for (let power = -6; power <= 1; power++) {
    for (const digit of [1, 2, 5]) {
      const value = Number((digit * 10 ** power).toPrecision(1));
      if (value >= low && value <= high) result.push(value);
    }
  }
  return result;
}

function text(x: number, y: number, content: string, anchor: string, size = 12): string {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="#222">${safe}</text>`;
}

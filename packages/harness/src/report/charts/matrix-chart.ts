import type { MatrixPicture } from '@palimpsest/lm';
import { type ChartSpec, chartSpec } from './chart.js';

const WIDTH = 730;
const WIDEST_CELL = 14;
/** A range on both sides of 0 goes from red over paper to blue, one from 0 on from paper to blue. */
const DIVERGING = ['#b24828', '#faf8f3', '#2c568c'];
const SEQUENTIAL = ['#faf8f3', '#2c568c'];
const INK = 'currentColor';

/** A matrix as colours: slots by channels, or what each token read by slots, with a text above each column. */
export function matrixChart(picture: Omit<MatrixPicture, 'kind'>): ChartSpec {
  const { title, rowTitle, columnTitle, rows, range, columns = [], borders = [] } = picture;
  const width = rows[0]?.length ?? 0;
  const cell = Math.min(WIDEST_CELL, WIDTH / width);
  const values = rows.flatMap((row, y) =>
    Array.from(row, (value, x) => ({
      x,
      y,
      value,
      label: `${columns[x] ?? `${columnTitle} ${x}`}: ${rowTitle} ${y}, ${value.toPrecision(3)}`,
    })),
  );
  const at = {
    field: 'x',
    type: 'ordinal',
    axis: null,
    scale: { domain: Array.from({ length: width }, (_, x) => x), padding: 0 },
  };
  const step = Math.ceil(rows.length / 16);
  const cells = {
    data: { values },
    mark: { type: 'rect' },
    encoding: {
      x: at,
      y: {
        field: 'y',
        type: 'ordinal',
        title: rowTitle,
        axis: { values: rows.flatMap((_, y) => (y % step === 0 ? [y] : [])), ticks: false, domain: false },
      },
      color: {
        field: 'value',
        type: 'quantitative',
        scale: { domain: domainOf(range), range: range[0] < 0 ? DIVERGING : SEQUENTIAL, clamp: true },
        legend: null,
      },
      description: { field: 'label' },
    },
  };
  const texts = {
    data: { values: columns.map((text, x) => ({ x, text })) },
    mark: { type: 'text', fontSize: 11, font: 'ui-monospace, Menlo, Consolas, monospace', color: INK },
    encoding: { x: at, y: { value: -8 }, text: { field: 'text' } },
  };
  const lines = {
    data: { values: borders.map((x) => ({ x })) },
    mark: { type: 'rule', color: '#a8372f', strokeWidth: 1.5 },
    encoding: { x: { ...at, bandPosition: 0 }, y: { value: -14 }, y2: { value: 'height' } },
  };
  return chartSpec(title, {
    width: cell * width,
    height: rows.length * Math.min(WIDEST_CELL, Math.max(5, 160 / rows.length)),
    layer: [cells, ...(columns.length > 0 ? [texts] : []), ...(borders.length > 0 ? [lines] : [])],
  });
}

function domainOf([low, high]: readonly [number, number]): number[] {
  return low < 0 ? [low, 0, high] : [low, high];
}

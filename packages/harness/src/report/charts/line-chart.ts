import { colourAt } from '../colours.js';
import { type ChartSpec, chartSpec, INK } from './chart.js';

/** A line of a picture: a name, a colour, and points with an optional standard error. */
export interface Series {
  readonly name: string;
  /** Default: one by its place. */
  readonly colour?: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly error?: number | undefined }[];
  readonly dashed?: boolean;
}

export interface Axes {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xScale?: 'linear' | 'log';
  readonly yScale?: 'linear' | 'log';
  readonly yDomain?: readonly [number, number];
  /** Horizontal lines with a name: chance, a floor. */
  readonly levels?: readonly { readonly name: string; readonly y: number }[] | undefined;
  /** Vertical lines with a name: the length of training. */
  readonly marks?: readonly { readonly name: string; readonly x: number }[] | undefined;
  /** Points and lines, or points alone. Default lines. */
  readonly joined?: boolean;
  /** Pixels; defaults 520 and 280. */
  readonly width?: number;
  readonly height?: number;
}

const WIDTH = 520;
/** Lines of more points than this carry no dots. */
const MOST_DOTS = 40;
/** Letters of a name. */
const LONGEST_IN_TWO_COLUMNS = 28;

/** Lines with points and error bars, one colour per series, with named levels and marks. */
export function lineChart(series: readonly Series[], axes: Axes): ChartSpec {
  const isShown = (value: number, scale: string | undefined) =>
    Number.isFinite(value) && (scale !== 'log' || value > 0);
  const values = series.flatMap(({ name, points, dashed = false }) =>
    points
      .filter(({ x, y }) => isShown(x, axes.xScale) && isShown(y, axes.yScale))
      .map(({ x, y, error = 0 }) => ({ x, y, low: y - error, high: y + error, error, series: name, dashed })),
  );
  const longest = Math.max(0, ...series.map(({ points }) => points.length));
  const colour = {
    field: 'series',
    type: 'nominal',
    sort: null,
    scale: {
      domain: series.map(({ name }) => name),
      range: series.map((line, place) => line.colour ?? colourAt(place)),
    },
    legend: series.length > 1 ? legendOf(series) : null,
  };
  const x = {
    field: 'x',
    type: 'quantitative',
    title: axes.xTitle,
    scale: scaleOf(axes.xScale),
    axis: axes.xScale === 'log' ? { tickCount: 6, format: '~s' } : { tickCount: 8 },
  };
  const y = {
    field: 'y',
    type: 'quantitative',
    title: axes.yTitle,
    scale: { ...scaleOf(axes.yScale), ...(axes.yDomain ? { domain: [...axes.yDomain], nice: false } : {}) },
    axis: axes.yScale === 'log' ? { tickCount: 5, format: '~g' } : { tickCount: 6 },
  };
  const dash = { condition: { test: 'datum.dashed', value: [5, 4] }, value: [1, 0] };
  const { width = WIDTH, height = 280 } = axes;
  return chartSpec(axes.title, {
    width,
    height,
    data: { values },
    layer: [
      ...(axes.joined === false
        ? []
        : [{ mark: { type: 'line', strokeWidth: 2 }, encoding: { x, y, color: colour, strokeDash: dash } }]),
      {
        transform: [{ filter: 'datum.error > 0' }],
        mark: { type: 'rule', strokeWidth: 1.5 },
        encoding: {
          x,
          y: { field: 'low', type: 'quantitative' },
          y2: { field: 'high' },
          color: colour,
        },
      },
      ...(longest > MOST_DOTS
        ? []
        : [
            {
              mark: { type: 'point', filled: true, size: 55, opacity: 1 },
              encoding: { x, y, color: colour },
            },
          ]),
      ...(axes.levels ?? []).flatMap((level) => levelLayers(level, width)),
      ...(axes.marks ?? []).flatMap((mark) => markLayers(mark)),
    ],
  });
}

/** Two columns while names fit. Without a canvas Vega takes words for wider than they are, hence the generous limit. */
function legendOf(series: readonly Series[]): object {
  const longest = Math.max(...series.map(({ name }) => name.length));
  return { columns: longest > LONGEST_IN_TWO_COLUMNS ? 1 : 2, labelLimit: 1000 };
}

function levelLayers({ name, y }: { name: string; y: number }, width: number): object[] {
  const data = { values: [{ y, name }] };
  const at = { y: { field: 'y', type: 'quantitative' } };
  return [
    { data, mark: { type: 'rule', color: INK, strokeDash: [2, 3], opacity: 0.7 }, encoding: at },
    {
      data,
      mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -3, dx: -4, fontSize: 11, opacity: 0.85 },
      encoding: { ...at, x: { value: width }, text: { field: 'name' } },
    },
  ];
}

function markLayers({ name, x }: { name: string; x: number }): object[] {
  const data = { values: [{ x, name }] };
  const at = { x: { field: 'x', type: 'quantitative' } };
  return [
    { data, mark: { type: 'rule', color: INK, strokeDash: [2, 3], opacity: 0.7 }, encoding: at },
    {
      data,
      mark: { type: 'text', align: 'left', baseline: 'top', dx: 4, dy: 2, fontSize: 11, opacity: 0.85 },
      encoding: { ...at, y: { value: 0 }, text: { field: 'name' } },
    },
  ];
}

function scaleOf(scale: 'linear' | 'log' = 'linear'): object {
  return scale === 'log'
    ? { type: scale, nice: false, padding: 12 }
    : { type: scale, zero: false, nice: true };
}

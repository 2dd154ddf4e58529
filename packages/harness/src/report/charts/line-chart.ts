import { type LineStyle, lineStyle } from '../colours.js';
import { type ChartSpec, chartSpec, INK } from './chart.js';

/** A line of a picture: a name, a style, and points with an optional standard error. */
export interface Series extends Partial<LineStyle> {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly error?: number | undefined }[];
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
  /** A legend within the picture; a page may write its own. Default true */
  readonly legend?: boolean;
  /** Points and lines, or points alone. Default lines. */
  readonly joined?: boolean;
  /** Pixels, all texts included; default 600. */
  readonly width?: number;
  /** Pixels between the axes; default 280. */
  readonly height?: number;
}

const WIDTH = 600;
/** Lines of more points than this carry no signs. */
const MOST_SIGNS = 40;

/** Lines with points and error bars, with named levels and marks; lines differ in colour, dashes and signs. */
export function lineChart(series: readonly Series[], axes: Axes): ChartSpec {
  const isShown = (value: number, scale: string | undefined) =>
    Number.isFinite(value) && (scale !== 'log' || value > 0);
  const values = series.flatMap(({ name, points }) =>
    points
      .filter(({ x, y }) => isShown(x, axes.xScale) && isShown(y, axes.yScale))
      .map(({ x, y, error = 0 }) => ({ x, y, low: y - error, high: y + error, error, series: name })),
  );
  const longest = Math.max(0, ...series.map(({ points }) => points.length));
  const { width = WIDTH, height = 280 } = axes;
  const legend = series.length > 1 && axes.legend !== false ? legendOf(series, width) : null;
  const styles = series.map((line, place) => ({ ...lineStyle(place), ...line }));
  const channel = (range: readonly unknown[]) => ({
    field: 'series',
    type: 'nominal',
    sort: null,
    scale: { domain: series.map(({ name }) => name), range },
    legend,
  });
  const color = channel(styles.map(({ colour }) => colour));
  // A legend of dashes would draw the outlines of signs with them, and Vega makes one legend of channels with equal values:
  // so these have a mark before them.
  const strokeDash = {
    field: 'line',
    type: 'nominal',
    scale: { domain: series.map(({ name }) => `-${name}`), range: styles.map(({ dash }) => dash) },
    legend: null,
  };
  const shape = channel(styles.map((style) => style.shape));
  const narrow = width < 500;
  const x = {
    field: 'x',
    type: 'quantitative',
    title: axes.xTitle,
    scale: scaleOf(axes.xScale),
    axis: axes.xScale === 'log' ? { tickCount: narrow ? 3 : 6, format: '~s' } : { tickCount: narrow ? 4 : 8 },
  };
  const y = {
    field: 'y',
    type: 'quantitative',
    title: axes.yTitle,
    scale: { ...scaleOf(axes.yScale), ...(axes.yDomain ? { domain: [...axes.yDomain], nice: false } : {}) },
    axis: axes.yScale === 'log' ? { tickCount: 5, format: '~g' } : { tickCount: 6 },
  };
  return chartSpec(axes.title, {
    width,
    height,
    autosize: { type: 'fit-x', contains: 'padding' },
    data: { values },
    layer: [
      ...(axes.joined === false
        ? []
        : [
            {
              transform: [{ calculate: "'-' + datum.series", as: 'line' }],
              mark: { type: 'line', strokeWidth: 2 },
              encoding: { x, y, color, strokeDash },
            },
          ]),
      {
        transform: [{ filter: 'datum.error > 0' }],
        mark: { type: 'rule', strokeWidth: 1.5 },
        encoding: {
          x,
          y: { field: 'low', type: 'quantitative' },
          y2: { field: 'high' },
          color,
        },
      },
      ...(longest > MOST_SIGNS
        ? []
        : [
            { mark: { type: 'point', filled: true, size: 60, opacity: 1 }, encoding: { x, y, color, shape } },
          ]),
      ...(axes.levels ?? []).flatMap((level) => levelLayers(level)),
      ...(axes.marks ?? []).flatMap((mark) => markLayers(mark)),
    ],
  });
}

/** Pixels that Vega takes for a letter of a legend without a canvas to measure it, and for the sign before it. */
const LETTER = 9;
const SIGN = 36;

/** As many columns as names fit into. */
function legendOf(series: readonly Series[], width: number): object {
  const longest = Math.max(...series.map(({ name }) => name.length));
  const columns = Math.max(1, Math.floor(width / (longest * LETTER + SIGN)));
  return { columns, labelLimit: 1000, symbolSize: 90 };
}

function levelLayers({ name, y }: { name: string; y: number }): object[] {
  const data = { values: [{ y, name }] };
  const at = { y: { field: 'y', type: 'quantitative' } };
  return [
    { data, mark: { type: 'rule', color: INK, strokeDash: [2, 3], opacity: 0.7 }, encoding: at },
    {
      data,
      mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -3, dx: -4, fontSize: 11, opacity: 0.85 },
      encoding: { ...at, x: { value: 'width' }, text: { field: 'name' } },
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

import type { ChartSpec } from './charts.js';

/** A line of a picture: a name, a colour, and points with an optional standard error. */
export interface Series {
  readonly name: string;
  readonly colour: string;
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
  readonly levels?: readonly { readonly name: string; readonly y: number }[];
  /** Vertical lines with a name: the length of training. */
  readonly marks?: readonly { readonly name: string; readonly x: number }[];
  /** Points and lines, or points alone. Default lines. */
  readonly joined?: boolean;
}

const WIDTH = 520;
const FAINT = 'rgba(128,128,128,0.28)';
const INK = 'currentColor';
/** Lines of more points than this carry no dots. */
const MOST_DOTS = 40;
/** Letters of a name. */
const LONGEST_IN_TWO_COLUMNS = 28;

/** Text and axes take the colour of the page around them, so that one picture serves light, dark and paper. */
const CONFIG = {
  background: null,
  font: 'system-ui, -apple-system, "Segoe UI", sans-serif',
  view: { stroke: null },
  axis: {
    gridColor: FAINT,
    domainColor: FAINT,
    tickColor: FAINT,
    labelColor: INK,
    titleColor: INK,
    titleFontWeight: 'normal',
    labelFontSize: 12,
    titleFontSize: 12,
    labelLimit: 240,
  },
  title: { color: INK, fontSize: 14, anchor: 'start', fontWeight: 600, offset: 12, limit: 0 },
  legend: {
    orient: 'bottom',
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 12,
    symbolStrokeWidth: 3,
    title: null,
  },
  header: { labelColor: INK, titleColor: INK, labelFontSize: 12 },
  text: { color: INK },
};

const page = (title: string) => ({
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  title,
  width: WIDTH,
  config: CONFIG,
});

/** Lines with points and error bars, one colour per series, with named levels and marks. */
export function linePicture(series: readonly Series[], axes: Axes): ChartSpec {
  const isShown = (value: number, scale: string | undefined) =>
    Number.isFinite(value) && (scale !== 'log' || value > 0);
  const values = series.flatMap(({ name, points, dashed = false }) =>
    points
      .filter(({ x, y }) => isShown(x, axes.xScale) && isShown(y, axes.yScale))
      .map(({ x, y, error = 0 }) => ({ x, y, low: y - error, high: y + error, error, series: name, dashed })),
  );
  const longest = Math.max(...series.map(({ points }) => points.length));
  const colour = {
    field: 'series',
    type: 'nominal',
    sort: null,
    scale: { domain: series.map(({ name }) => name), range: series.map((line) => line.colour) },
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
  return {
    ...page(axes.title),
    height: 280,
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
      ...(axes.levels ?? []).flatMap((level) => levelLayers(level)),
      ...(axes.marks ?? []).flatMap((mark) => markLayers(mark)),
    ],
  } as unknown as ChartSpec;
}

/** Two columns while names fit. Without a canvas Vega takes words for wider than they are, hence the generous limit. */
function legendOf(series: readonly Series[]): object {
  const longest = Math.max(...series.map(({ name }) => name.length));
  return { columns: longest > LONGEST_IN_TWO_COLUMNS ? 1 : 2, labelLimit: 1000 };
}

function levelLayers({ name, y }: { name: string; y: number }): object[] {
  const data = { values: [{ y, name }] };
  const at = { y: { field: 'y', type: 'quantitative' } };
  return [
    { data, mark: { type: 'rule', color: INK, strokeDash: [2, 3], opacity: 0.7 }, encoding: at },
    {
      data,
      mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -3, dx: -4, fontSize: 11, opacity: 0.85 },
      encoding: { ...at, x: { value: WIDTH }, text: { field: 'name' } },
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

export interface HeatCell {
  readonly panel: string;
  readonly x: number | string;
  readonly y: number | string;
  readonly value: number;
}

/** Small heat maps side by side, one per panel, with the value in every cell. */
export function heatPicture(
  cells: readonly HeatCell[],
  axes: { readonly title: string; readonly xTitle: string; readonly yTitle: string; readonly unit: string },
): ChartSpec {
  const panels = [...new Set(cells.map(({ panel }) => panel))];
  const columns = new Set(cells.map(({ x }) => x)).size;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: axes.title,
    config: CONFIG,
    data: { values: cells.map((cell) => ({ ...cell })) },
    facet: { field: 'panel', type: 'nominal', sort: panels, title: null },
    columns: 2,
    spec: {
      width: Math.max(200, columns * 48),
      height: { step: 28 },
      encoding: {
        x: { field: 'x', type: 'ordinal', title: axes.xTitle, axis: { labelAngle: 0 } },
        y: { field: 'y', type: 'ordinal', title: axes.yTitle, sort: 'ascending', axis: { titlePadding: 12 } },
      },
      layer: [
        {
          mark: { type: 'rect' },
          encoding: {
            color: {
              field: 'value',
              type: 'quantitative',
              title: axes.unit,
              scale: { domain: [0, 100], range: ['#f3e9d8', '#0b4f6c'] },
              legend: { gradientLength: 200, title: axes.unit, direction: 'horizontal' },
            },
          },
        },
        {
          mark: { type: 'text', fontSize: 11 },
          encoding: {
            text: { field: 'value', type: 'quantitative', format: '.0f' },
            color: { condition: { test: 'datum.value > 55', value: '#ffffff' }, value: '#222222' },
          },
        },
      ],
    },
  } as unknown as ChartSpec;
}

/** One row of dots per label on a logarithmic axis, with a line at the limit. */
export function stripPicture(
  points: readonly { readonly label: string; readonly value: number }[],
  axes: { readonly title: string; readonly xTitle: string; readonly limit: number },
): ChartSpec {
  return {
    ...page(axes.title),
    height: { step: 22 },
    layer: [
      {
        data: { values: points.map((point) => ({ ...point })) },
        mark: { type: 'point', filled: true, size: 40, opacity: 0.65, color: '#0072b2' },
        encoding: {
          x: {
            field: 'value',
            type: 'quantitative',
            title: axes.xTitle,
            scale: { type: 'log', padding: 12 },
            axis: { format: '~g', tickCount: 6 },
          },
          y: { field: 'label', type: 'nominal', title: null, sort: null },
        },
      },
      {
        data: { values: [{ limit: axes.limit }] },
        mark: { type: 'rule', color: '#c0392b', strokeDash: [4, 3] },
        encoding: { x: { field: 'limit', type: 'quantitative' } },
      },
    ],
  } as unknown as ChartSpec;
}

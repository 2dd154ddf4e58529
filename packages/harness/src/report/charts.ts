import type { TopLevelSpec } from 'vega-lite';

/** A chart as data: a Vega-Lite specification, kept beside the figure so that readers can redraw it. */
export type ChartSpec = TopLevelSpec;

/** One point of a line or scatter chart. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Name of the line or of the group of points. */
  readonly series: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Default 'linear'; a logarithmic axis leaves out points that are not positive. */
  readonly xScale?: 'linear' | 'log';
  readonly yScale?: 'linear' | 'log';
  readonly yDomain?: readonly [number, number];
  /** Pixels; defaults 560 and 280. */
  readonly width?: number;
  readonly height?: number;
}

const PALETTE = ['#3f5f8a', '#c2703d', '#5b8c5a', '#8a5a83', '#b0982f', '#4f8f93', '#9a4a4a', '#6b6b6b'];
/** A line with more points than this needs no dots. */
const MOST_DOTS = 50;
const INK = '#2b2b2b';

const CONFIG = {
  background: '#ffffff',
  font: 'system-ui, -apple-system, "Segoe UI", sans-serif',
  view: { stroke: 'transparent' },
  axis: {
    gridColor: '#e6e3dc',
    domainColor: '#9a958a',
    tickColor: '#9a958a',
    labelColor: INK,
    titleColor: INK,
    labelLimit: 220,
  },
  title: { color: INK, fontSize: 14, anchor: 'start' as const },
  legend: { labelLimit: 260 },
  range: { category: PALETTE },
};

/** Lines, one colour per series, with dots where a series has few points: learning curves, error against size. */
export function lineChart(points: readonly ChartPoint[], options: ChartOptions): ChartSpec {
  return chart(points, options, [
    { mark: { type: 'line', strokeWidth: 2 } },
    {
      transform: [
        { joinaggregate: [{ op: 'count', as: 'points' }], groupby: ['series'] },
        { filter: `datum.points <= ${MOST_DOTS}` },
      ],
      mark: { type: 'point', filled: true, size: 40, opacity: 1 },
    },
  ]);
}

/** One labelled dot per point: recall against bytes of state. */
export function scatterChart(points: readonly ChartPoint[], options: ChartOptions): ChartSpec {
  return chart(points, options, [{ mark: { type: 'point', filled: true, size: 90, opacity: 1 } }]);
}

/** What every chart has: version, title, width, style. */
function page(title: string, width = 560): object {
  return { $schema: 'https://vega.github.io/schema/vega-lite/v6.json', title, width, config: CONFIG };
}

function chart(points: readonly ChartPoint[], options: ChartOptions, layer: object[]): ChartSpec {
  const shown = points.filter(
    ({ x, y }) =>
      Number.isFinite(x) &&
      Number.isFinite(y) &&
      (options.xScale !== 'log' || x > 0) &&
      (options.yScale !== 'log' || y > 0),
  );
  return {
    ...page(options.title, options.width),
    height: options.height ?? 280,
    data: { values: shown.map((point) => ({ ...point })) },
    layer,
    encoding: {
      x: { field: 'x', type: 'quantitative', title: options.xTitle, scale: scaleOf(options.xScale) },
      y: {
        field: 'y',
        type: 'quantitative',
        title: options.yTitle,
        scale: { ...scaleOf(options.yScale), ...(options.yDomain ? { domain: [...options.yDomain] } : {}) },
      },
      color: { field: 'series', type: 'nominal', title: null, sort: null },
    },
  } as ChartSpec;
}

function scaleOf(scale: 'linear' | 'log' = 'linear'): object {
  return scale === 'log' ? { type: scale, nice: true } : { type: scale, zero: false, nice: true };
}

/** Draws a chart as a stand-alone SVG document, without a browser. Loads Vega on first use. */
export async function renderChart(spec: ChartSpec): Promise<string> {
  const [{ compile }, { parse, View }] = await Promise.all([import('vega-lite'), import('vega')]);
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

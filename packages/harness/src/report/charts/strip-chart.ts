import { type ChartSpec, chartSpec } from './chart.js';

/** Pixels of a row. */
const ROW = 22;

/** One row of dots per label on a logarithmic axis, with a line at the limit. */
export function stripChart(
  points: readonly { readonly label: string; readonly value: number }[],
  axes: {
    readonly title: string;
    readonly xTitle: string;
    readonly limit: number;
    /** Pixels, all texts included. */
    readonly width: number;
  },
): ChartSpec {
  return chartSpec(axes.title, {
    width: axes.width,
    // A height by steps cannot go with a width that is fitted.
    height: ROW * new Set(points.map(({ label }) => label)).size,
    autosize: { type: 'fit-x', contains: 'padding' },
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
  });
}

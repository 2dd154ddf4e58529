import { type ChartSpec, chartSpec } from './chart.js';

export interface HeatCell {
  readonly panel: string;
  readonly x: number | string;
  readonly y: number | string;
  readonly value: number;
}

/** Pixels: a cell, the narrowest map, and what its axis takes beside it. */
const CELL = 40;
const LEAST = 200;
const AXIS = 76;

/** Small heat maps side by side, one per panel, with the value in every cell. */
export function heatChart(
  cells: readonly HeatCell[],
  axes: {
    readonly title: string;
    readonly xTitle: string;
    readonly yTitle: string;
    readonly unit: string;
    /** Pixels, all texts included. */
    readonly width: number;
  },
): ChartSpec {
  const panels = [...new Set(cells.map(({ panel }) => panel))];
  const columns = new Set(cells.map(({ x }) => x)).size;
  const beside = Math.max(1, Math.floor(axes.width / (Math.max(LEAST, columns * CELL) + AXIS)));
  return chartSpec(axes.title, {
    data: { values: cells.map((cell) => ({ ...cell })) },
    facet: { field: 'panel', type: 'nominal', sort: panels, title: null },
    columns: beside,
    spec: {
      width: Math.floor(axes.width / beside) - AXIS,
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
  });
}

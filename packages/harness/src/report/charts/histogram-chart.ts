import type { HistogramPicture } from '@palimpsest/lm';
import { colourAt } from '../colours.js';
import { type ChartSpec, chartSpec } from './chart.js';

/** Bars of how often a value fell into each bin, one small panel per histogram. */
export function histogramChart({ title, xTitle, range, panels }: Omit<HistogramPicture, 'kind'>): ChartSpec {
  const [low, high] = range;
  const values = panels.flatMap(({ name, counts }) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const edge = (bin: number) => low + ((high - low) * bin) / counts.length;
    const mean = counts.reduce((sum, count, bin) => sum + count * edge(bin + 0.5), 0) / total;
    const panel = `${name}, mean ${mean.toFixed(2)}`;
    return counts.map((count, bin) => {
      const share = (100 * count) / total;
      const label = `${edge(bin).toFixed(2)} to ${edge(bin + 1).toFixed(2)}: ${share.toFixed(1)} %`;
      return { panel, from: edge(bin), to: edge(bin + 1), share, label };
    });
  });
  return chartSpec(title, {
    data: { values },
    facet: {
      field: 'panel',
      type: 'nominal',
      sort: [...new Set(values.map(({ panel }) => panel))],
      title: null,
    },
    columns: 4,
    spec: {
      width: 150,
      height: 80,
      mark: { type: 'bar', color: colourAt(0) },
      encoding: {
        x: {
          field: 'from',
          type: 'quantitative',
          title: xTitle,
          scale: { domain: [low, high] },
          axis: { tickCount: 3, grid: false },
        },
        x2: { field: 'to' },
        y: { field: 'share', type: 'quantitative', title: '%', axis: { tickCount: 3 } },
        description: { field: 'label' },
      },
    },
  });
}

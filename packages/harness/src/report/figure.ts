import { type ChartSpec, drawChart } from './charts/chart.js';
import { type Axes, lineChart, type Series } from './charts/line-chart.js';
import { legend } from './legend.js';
import { type Markup, markup } from './markup.js';

/** Pixels of a picture on a desk and on a phone, its axes and texts included: all that the page has room for. */
const WIDE = 826;
const NARROW = 332;

/** A picture with its data. */
export interface Figure {
  /** File name of the data, without extension. */
  readonly name: string;
  /** The picture at a width, pixels. */
  readonly spec: (width: number) => ChartSpec;
  /** Lines whose legend stands below the picture. */
  readonly lines?: readonly Series[];
  /** What there is to see, in a sentence: caption, and description for those who cannot see it. */
  readonly caption: string;
}

/** The points behind a picture, as JSON. */
export function figureData({ spec }: Figure): unknown {
  const layered = spec(WIDE) as { data?: { values?: unknown }; layer?: { data?: { values?: unknown } }[] };
  return layered.data?.values ?? layered.layer?.flatMap(({ data }) => data?.values ?? []) ?? [];
}

/**
 * A picture as inline SVG, drawn for a desk and for a phone, with its title as text that wraps, a caption and a link to its
 * data that works without a network.
 */
export async function renderFigure(figure: Figure): Promise<Markup> {
  const { name, spec, caption, lines = [] } = figure;
  const data = Buffer.from(`${JSON.stringify(figureData(figure), null, 1)}\n`)
    .toString('base64')
    .replace(/=+$/, '');
  const link = markup`<a download="${name}.json" href="data:application/json;base64,${data}">data</a>`;
  const { title, ...wide } = spec(WIDE);
  const { title: _, ...narrow } = spec(NARROW);
  const heading = markup`<p class="figure-title">${String(title)}</p>`;
  const names = lines.length > 1 ? legend(lines) : '';
  return markup`<figure>${heading}<div class="on-desk">${await drawChart(wide as ChartSpec, caption)}</div><div class="on-phone">${await drawChart(narrow as ChartSpec, caption)}</div>${names}<figcaption>${caption} ${link}</figcaption></figure>`;
}

/** A picture of lines, their legend below it. */
export function lineFigure(
  { name, caption }: Pick<Figure, 'name' | 'caption'>,
  lines: readonly Series[],
  axes: Omit<Axes, 'width' | 'legend'>,
): Figure {
  const spec = (width: number) => lineChart(lines, { ...axes, width, legend: false });
  return { name, caption, lines, spec };
}

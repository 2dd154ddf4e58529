import { type ChartSpec, drawChart } from './charts/chart.js';
import { type Markup, markup } from './markup.js';

/** A picture with its data. */
export interface Figure {
  /** File name of the data, without extension. */
  readonly name: string;
  readonly spec: ChartSpec;
  /** What there is to see, in a sentence: caption, and description for those who cannot see it. */
  readonly caption: string;
}

/** The points behind a picture, as JSON. */
export function figureData({ spec }: Figure): unknown {
  const layered = spec as { data?: { values?: unknown }; layer?: { data?: { values?: unknown } }[] };
  return layered.data?.values ?? layered.layer?.flatMap(({ data }) => data?.values ?? []) ?? [];
}

/** A picture as inline SVG, with a caption and a link to its data that works without a network. */
export async function renderFigure(figure: Figure): Promise<Markup> {
  const { name, spec, caption } = figure;
  const data = Buffer.from(`${JSON.stringify(figureData(figure), null, 1)}\n`)
    .toString('base64')
    .replace(/=+$/, '');
  const link = markup`<a download="${name}.json" href="data:application/json;base64,${data}">data</a>`;
  const drawn = await drawChart(spec, caption);
  return markup`<figure>${drawn}<figcaption>${caption} ${link}</figcaption></figure>`;
}

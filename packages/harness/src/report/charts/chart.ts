import type { TopLevelSpec } from 'vega-lite';
import { Markup } from '../markup.js';

/** A chart as data: a Vega-Lite specification, kept beside the figure so that readers can redraw it. */
export type ChartSpec = TopLevelSpec;

export const INK = 'currentColor';
const FAINT = 'rgba(128,128,128,0.28)';

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

/** A chart of the house from its own parts: version and style are the same in all. */
export function chartSpec(title: string, parts: object): ChartSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: plainTitle(title),
    config: CONFIG,
    ...(withPlainTitles(parts) as object),
  } as unknown as ChartSpec;
}

/** Vega-Lite pastes titles into expressions, where a line break, quote or backslash of a result's text would be code. */
const plainTitle = (text: string) => text.replace(/[\s"'`\\]+/g, ' ');

function withPlainTitles(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withPlainTitles);
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => {
      if (key === 'data') return [key, value];
      return [key, key === 'title' && typeof value === 'string' ? plainTitle(value) : withPlainTitles(value)];
    }),
  );
}

/** Draws a chart into a page. @param label what there is to see, for those who cannot */
export async function drawChart(spec: ChartSpec, label: string): Promise<Markup> {
  return Markup.drawn(await renderChart(spec), label);
}

/**
 * Draws a chart as a stand-alone SVG document, without a browser. Loads Vega on first use.
 * @param background colour of the ground; default: none
 */
export async function renderChart(spec: ChartSpec, background?: string): Promise<string> {
  const [{ compile }, { parse, View }] = await Promise.all([import('vega-lite'), import('vega')]);
  const view = new View(parse(compile(background ? { ...spec, background } : spec).spec), {
    renderer: 'none',
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

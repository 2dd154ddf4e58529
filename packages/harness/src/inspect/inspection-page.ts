import type { Inspection, InspectionPicture, TextPicture } from '@palimpsest/lm';
import { type ChartSpec, drawChart } from '../report/charts/chart.js';
import { histogramChart } from '../report/charts/histogram-chart.js';
import { lineChart } from '../report/charts/line-chart.js';
import { matrixChart } from '../report/charts/matrix-chart.js';
import { paragraph, type Section, subheading } from '../report/html-parts.js';
import { type Markup, markup } from '../report/markup.js';
import { htmlPage } from '../report/page-frame.js';

/** One HTML page, without any outside file, of what a memory did while it read a text. */
export async function inspectionPage(inspection: Inspection, checkpoint: string): Promise<string> {
  const sections: Section[] = [];
  for (const [index, { title, note, pictures }] of inspection.sections.entries()) {
    const body = note === undefined ? [] : [paragraph(note)];
    for (const picture of pictures) body.push(await draw(picture));
    sections.push({ id: `part-${index + 1}`, title, body });
  }
  return htmlPage({
    title: `Memory of ${checkpoint}`,
    lead: 'What the memory did.',
    facts: inspection.facts,
    sections,
  });
}

async function draw(picture: InspectionPicture): Promise<Markup> {
  if (picture.kind === 'text') return textOf(picture);
  return markup`<figure>${await drawChart(specOf(picture), picture.title)}</figure>`;
}

function specOf(picture: Exclude<InspectionPicture, TextPicture>): ChartSpec {
  if (picture.kind === 'histograms') return histogramChart(picture);
  if (picture.kind === 'matrix') return matrixChart(picture);
  const { title, xTitle, yTitle, series } = picture;
  return lineChart(series, { title, xTitle, yTitle, width: 640, height: 200 });
}

/** A text whose pieces say more at the foot of the window while the pointer rests on them, or after a touch. */
function textOf({ title, pieces }: TextPicture): Markup {
  const spans = pieces.map(({ text, shade, note, border }) => {
    const kind = border ? 'chunk' : 'plain';
    const shown = text.replaceAll('\n', '⏎\n');
    return markup`<span class="${kind}" style="background:rgba(178,72,40,${shade.toFixed(2)})" tabindex="-1" data-note="${note}">${shown}</span>`;
  });
  const text = markup`<pre class="text">${spans}</pre>`;
  return title === undefined ? text : markup`${subheading(title)}${text}`;
}

import { sliceWords } from '../../results/labels.js';
import type { TaskGroup } from '../../results/tables.js';
import { type Figure, lineFigure, renderFigure } from '../figure.js';
import { formatMetric } from '../format.js';
import { details, htmlTable, paragraph, type Section, subheading } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { ReportContext } from './context.js';

/** Libraries that stand alone: sketches, compression, indexes. */
export async function librarySection(context: ReportContext): Promise<Section | undefined> {
  const groups = context.family('library');
  if (groups.length === 0) return undefined;
  const parts: Markup[] = [];
  for (const group of groups) {
    parts.push(subheading(group.title), paragraph(group.task?.description ?? ''));
    const figure = curves(group);
    if (figure) parts.push(await renderFigure(context.figure(figure)));
    parts.push(metricsTable(group));
    parts.push(...group.entries.flatMap(({ notes }) => notes.map((note) => paragraph(note, 'soft'))));
  }
  return { id: 'libraries', title: 'Libraries', body: parts };
}

/** A bound is no measurement. */
const BOUND = { dash: [5, 4] };

function curves({ name, title, entries }: TaskGroup): Figure | undefined {
  const [entry] = entries;
  if (!entry || entry.curves.length === 0) return undefined;
  const { xTitle, yTitle } = entry.curves[0]!;
  const lines = entry.curves.map((curve) => ({
    name: curve.name,
    points: curve.points.map(([x, y]) => ({ x, y })),
    ...(curve.name === 'bound' ? BOUND : {}),
  }));
  return lineFigure({ name, caption: `${yTitle} against ${xTitle}.` }, lines, {
    title,
    xTitle,
    yTitle,
    xScale: 'log',
    yScale: 'log',
  });
}

function metricsTable({ entries }: TaskGroup): Markup {
  const rows = entries.flatMap(({ metrics }) =>
    metrics.map((metric) => [`${metric.name}, ${sliceWords(metric.slice)}`, formatMetric(metric)]),
  );
  return details('every number', htmlTable(['measured', 'value'], rows));
}

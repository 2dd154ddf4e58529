import { metricOf } from '../../results/aggregate.js';
import type { Entry } from '../../results/entry.js';
import type { TaskGroup } from '../../results/tables.js';
import { lineChart } from '../charts/line-chart.js';
import { type Figure, renderFigure } from '../figure.js';
import { formatBytes, formatMetric, formatNumber } from '../format.js';
import { details, htmlTable, paragraph, type Section, subheading } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { ReportContext } from './context.js';

const HEADLINE = 'bits per character';

/** Held-out text: models and tables of counts in one table, loss by distance, learning curves. */
export async function languageSection(context: ReportContext): Promise<Section | undefined> {
  const groups = context.family('language');
  if (groups.length === 0) return undefined;
  const floors = groups.flatMap(({ entries }) => entries.filter((entry) => context.isFloor(entry)));
  const parts = [paragraph(groups[0]!.task?.description ?? '')];
  for (const group of groups.filter(({ entries }) => entries.some((entry) => !context.isFloor(entry)))) {
    const together = withFloors(group, floors);
    const seconds = Number(group.entries[0]!.taskOptions.seconds ?? 0);
    parts.push(subheading(seconds > 0 ? `Equal time: ${seconds} s of training` : 'Equal steps'));
    parts.push(textTable(together, context));
    for (const figure of [byDistance(group, floors, context), learning(group, context)]) {
      if (figure) parts.push(await renderFigure(context.figure(figure)));
    }
    if (group.options) parts.push(details('options of the task', paragraph(group.options)));
  }
  return { id: 'language', title: 'Held-out text', body: parts };
}

/** The group's models and the counted floors, best first. */
function withFloors({ entries }: TaskGroup, floors: readonly Entry[]): Entry[] {
  const value = (entry: Entry) => metricOf(entry, HEADLINE)?.value ?? Number.POSITIVE_INFINITY;
  return [...new Set([...entries, ...floors])].sort((a, b) => value(a) - value(b));
}

function textTable(entries: readonly Entry[], { labels }: ReportContext): Markup {
  const cell = (entry: Entry, name: string) => {
    const metric = metricOf(entry, name);
    return metric ? formatMetric({ ...metric, unit: '' }) : '';
  };
  const rows = entries.map((entry) => [
    labels.entry(entry),
    cell(entry, HEADLINE),
    cell(entry, 'bits per character in windows'),
    cell(entry, 'nats per character'),
    cell(entry, 'accuracy'),
    entry.parameters === undefined ? '' : formatNumber(entry.parameters),
    entry.stateBytes === undefined ? '' : formatBytes(entry.stateBytes),
    cell(entry, 'training'),
  ]);
  return htmlTable(
    [
      'reader',
      'bits per character, one stream',
      'in windows',
      'nats, one stream',
      'accuracy, %',
      'parameters',
      'memory',
      'training, tokens/s',
    ],
    rows,
  );
}

/** Loss by the number of tokens in memory, with the best table of counts as a level. */
function byDistance(group: TaskGroup, floors: readonly Entry[], context: ReportContext): Figure | undefined {
  const series = group.entries
    .filter((entry) => !context.isFloor(entry))
    .map((entry) => ({
      name: context.labels.entry(entry),
      colour: context.colour(entry),
      points: entry.metrics
        .filter(({ name }) => name === 'bits by distance')
        // Buckets begin at 0, which a logarithmic axis does not have.
        .map(({ slice, value, standardError }) => ({
          x: Math.max(64, Number(slice.from)),
          y: value,
          error: standardError,
        })),
    }))
    .filter(({ points }) => points.length > 1);
  if (series.length === 0) return undefined;
  const best = floors
    .flatMap((entry) => metricOf(entry, HEADLINE)?.value ?? [])
    .reduce((lowest, value) => Math.min(lowest, value), Number.POSITIVE_INFINITY);
  return {
    name: 'language-by-distance',
    spec: lineChart(series, {
      title: 'Does older text help? Bits per character by distance from the start',
      xTitle: 'characters in memory when the next one is told (start of the bucket)',
      yTitle: 'bits per character',
      xScale: 'log',
      levels: Number.isFinite(best) ? [{ name: 'best table of counts', y: best }] : undefined,
    }),
    caption: 'A memory that keeps something useful falls to the right; one that overflows rises.',
  };
}

function learning(group: TaskGroup, context: ReportContext): Figure | undefined {
  const series = group.entries
    .filter(({ curves }) => curves.length > 0)
    .map((entry) => ({
      name: context.labels.entry(entry),
      colour: context.colour(entry),
      points: entry.curves[0]!.points.map(([x, y]) => ({ x, y })),
    }));
  if (series.length === 0) return undefined;
  return {
    name: 'language-learning',
    spec: lineChart(series, {
      title: 'Learning to read',
      xTitle: 'training step',
      yTitle: 'bits per character, training text',
    }),
    caption: 'Loss on the batches of training, mean over seeds.',
  };
}

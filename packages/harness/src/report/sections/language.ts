import { basename } from 'node:path';
import { metricOf } from '../../results/aggregate.js';
import type { Entry } from '../../results/entry.js';
import { parameterWords } from '../../results/parameters.js';
import type { TaskGroup } from '../../results/tables.js';
import { type Figure, lineFigure, renderFigure } from '../figure.js';
import { formatBytes, formatMetric } from '../format.js';
import { details, htmlTable, paragraph, type Section, subheading } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { ReportContext } from './context.js';
import { verdictParts } from './verdict-parts.js';

const HEADLINE = 'bits per character';

/** Held-out text: models and tables of counts in one table, loss by distance, learning curves. */
export async function languageSection(context: ReportContext): Promise<Section | undefined> {
  const groups = context.family('language');
  if (groups.length === 0) return undefined;
  const counted = groups.flatMap(({ entries }) => entries.filter((entry) => context.isFloor(entry)));
  const parts = [paragraph(groups[0]!.task?.description ?? '')];
  for (const group of groups.filter(({ entries }) => entries.some((entry) => !context.isFloor(entry)))) {
    const floors = counted.filter((entry) => textOf(entry) === textOf(group.entries[0]!));
    const together = withFloors(group, floors);
    const seconds = Number(group.entries[0]!.taskOptions.seconds ?? 0);
    const { text = 'generated stories' } = group.entries[0]!.taskOptions;
    const effort = seconds > 0 ? `equal time, ${seconds} s of training` : 'equal steps';
    parts.push(subheading(`${basename(String(text))}: ${effort}`));
    parts.push(...textTable(together, context), ...verdictParts({ ...group, entries: together }, context));
    for (const figure of [byDistance(group, floors, context), learning(group, context)]) {
      if (figure) parts.push(await renderFigure(context.figure(figure)));
    }
    if (group.options) parts.push(details('options of the task', paragraph(group.options)));
  }
  return { id: 'language', title: 'Held-out text', body: parts };
}

/** Which text a cell reads: tables of counts are floors for the same text only, however a model was trained on it. */
function textOf({ taskOptions: { text, characters, storySeed, validationFraction } }: Entry): string {
  return JSON.stringify([text, text === undefined ? [characters, storySeed] : [], validationFraction]);
}

/** The group's models and the counted floors, best first. */
function withFloors({ entries }: TaskGroup, floors: readonly Entry[]): Entry[] {
  const value = (entry: Entry) => metricOf(entry, HEADLINE)?.value ?? Number.POSITIVE_INFINITY;
  return [...new Set([...entries, ...floors])].sort((a, b) => value(a) - value(b));
}

function textTable(entries: readonly Entry[], context: ReportContext): Markup[] {
  const { labels } = context;
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
    String(labels.width(entry) ?? ''),
    parameterWords(entry, entries, labels),
    entry.stateBytes === undefined ? '' : formatBytes(entry.stateBytes),
    cell(entry, 'training'),
  ]);
  const columns = [
    'reader',
    'bits per character, one stream',
    'in windows',
    'nats, one stream',
    'accuracy, %',
    'width',
    'parameters',
    'memory',
    'training, tokens/s',
  ];
  return [htmlTable(columns, rows), ...context.explain([...columns, ...rows.flat()])];
}

/** Loss by the number of tokens in memory, with the best table of counts as a level. */
function byDistance(group: TaskGroup, floors: readonly Entry[], context: ReportContext): Figure | undefined {
  const series = context
    .inOrder(group.entries)
    .filter((entry) => !context.isFloor(entry))
    .map((entry) => ({
      name: context.labels.entry(entry),
      ...context.style(entry),
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
  return lineFigure(
    {
      name: 'language-by-distance',
      caption: 'A memory that keeps something useful falls to the right; one that overflows rises.',
    },
    series,
    {
      title: 'Does older text help? Bits per character by distance from the start',
      xTitle: 'characters in memory when the next one is told (start of the bucket)',
      yTitle: 'bits per character',
      xScale: 'log',
      levels: Number.isFinite(best) ? [{ name: 'best table of counts', y: best }] : undefined,
    },
  );
}

function learning(group: TaskGroup, context: ReportContext): Figure | undefined {
  const series = context
    .inOrder(group.entries)
    .filter(({ curves }) => curves.length > 0)
    .map((entry) => ({
      name: context.labels.entry(entry),
      ...context.style(entry),
      points: entry.curves[0]!.points.map(([x, y]) => ({ x, y })),
    }));
  if (series.length === 0) return undefined;
  return lineFigure(
    { name: 'language-learning', caption: 'Loss on the batches of training, mean over seeds.' },
    series,
    {
      title: 'Learning to read',
      xTitle: 'training step',
      yTitle: 'bits per character, training text',
    },
  );
}

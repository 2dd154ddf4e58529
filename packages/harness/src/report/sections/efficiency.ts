import { maximum } from '@palimpsest/base';
import { metricOf } from '../../results/aggregate.js';
import type { Entry } from '../../results/entry.js';
import { parameterWords } from '../../results/parameters.js';
import type { TaskGroup } from '../../results/tables.js';
import type { Series } from '../charts/line-chart.js';
import { type Figure, lineFigure, renderFigure } from '../figure.js';
import { formatBytes, formatNumber } from '../format.js';
import { htmlTable, paragraph, type Section } from '../html-parts.js';
import { type Markup, markup } from '../markup.js';
import type { ReportContext } from './context.js';
import { verdictParts } from './verdict-parts.js';

/** What a mechanism costs: speed of training, reading and writing, and bytes, as the text grows. */
export async function efficiencySection(context: ReportContext): Promise<Section | undefined> {
  const groups = context.family('efficiency');
  if (groups.length === 0) return undefined;
  const decoding = groups.find(({ name }) => name === 'decoding-cost');
  const training = groups.find(({ name }) => name === 'training-cost');
  const parts: Markup[] = groups.map(({ task }) => paragraph(task?.description ?? ''));
  parts.push(...costTable(context, decoding?.entries ?? [], training?.entries ?? []));
  for (const group of groups) parts.push(...costVerdicts(group, context));
  if (decoding) {
    for (const figure of [timePicture(decoding.entries, context), memoryPicture(decoding.entries, context)]) {
      parts.push(await renderFigure(context.figure(figure)));
    }
    parts.push(paragraph(crossovers(decoding.entries, context)));
  }
  return { id: 'efficiency', title: 'Cost', body: parts };
}

/** A metric along the contexts, increasing. */
function byContext(entry: Entry, name: string): { x: number; y: number; error: number | undefined }[] {
  return entry.metrics
    .filter((metric) => metric.name === name)
    .map(({ slice, value, standardError }) => ({ x: Number(slice.context), y: value, error: standardError }))
    .sort((a, b) => a.x - b.x);
}

function costTable(context: ReportContext, decoding: readonly Entry[], training: readonly Entry[]): Markup[] {
  const labels = [...new Set([...decoding, ...training].map((entry) => context.labels.entry(entry)))];
  const last = (entry: Entry | undefined, name: string) => entry && byContext(entry, name).at(-1);
  const longest = maximum(decoding.flatMap((entry) => byContext(entry, 'memory').map(({ x }) => x)));
  const rows = labels.map((label) => {
    const trained = training.find((entry) => context.labels.entry(entry) === label);
    const decoded = decoding.find((entry) => context.labels.entry(entry) === label);
    const cell = (value: number | undefined, show: (value: number) => string = formatNumber) =>
      value === undefined ? '' : show(value);
    return [
      label,
      cell(trained && metricOf(trained, 'training')?.value, whole),
      cell(last(decoded, 'prefill')?.y, whole),
      cell(last(decoded, 'time per token')?.y, (ms) => whole(1000 / ms)),
      cell(last(decoded, 'time per token')?.y),
      cell(last(decoded, 'time to first token')?.y),
      cell(last(decoded, 'memory')?.y, formatBytes),
      cell(decoded?.peakMemoryBytes, formatBytes),
      String(labelled(decoded ?? trained, (entry) => context.labels.width(entry)) ?? ''),
      labelled(decoded ?? trained, (entry) =>
        parameterWords(entry, decoded ? decoding : training, context.labels),
      ) ?? '',
    ];
  });
  const at = Number.isFinite(longest) ? ` at ${formatNumber(longest)} tokens` : '';
  const columns = [
    'model',
    'training, tokens/s',
    `reading, tokens/s${at}`,
    'writing, tokens/s',
    'ms per token',
    'ms to first token',
    'memory',
    'peak of the process',
    'width',
    'parameters',
  ];
  return [htmlTable(columns, rows), ...context.explain(columns)];
}

const labelled = <T>(entry: Entry | undefined, say: (entry: Entry) => T) => entry && say(entry);

/** What one of the two measurements says, in words. */
function costVerdicts(group: TaskGroup, context: ReportContext): Markup[] {
  const parts = verdictParts(group, context);
  return parts.length === 0 ? [] : [markup`<p class="about">${group.title}:</p>`, ...parts];
}

const whole = (value: number) => formatNumber(Math.round(value));

function series(entries: readonly Entry[], name: string, context: ReportContext): Series[] {
  return context.inOrder(entries).map((entry) => ({
    name: context.labels.entry(entry),
    ...context.style(entry),
    points: byContext(entry, name),
  }));
}

function timePicture(entries: readonly Entry[], context: ReportContext): Figure {
  return lineFigure(
    {
      name: 'time-per-token',
      caption: 'Flat is constant cost; full attention reads all its keys and values for every token.',
    },
    series(entries, 'time per token', context),
    {
      title: 'Time of one generated token as the text grows',
      xTitle: 'tokens in memory',
      yTitle: 'milliseconds',
      xScale: 'log',
      yScale: 'log',
    },
  );
}

function memoryPicture(entries: readonly Entry[], context: ReportContext): Figure {
  return lineFigure(
    {
      name: 'memory-by-context',
      caption: 'Bytes that one text occupies between two tokens, as the arrays have them.',
    },
    series(entries, 'memory', context),
    {
      title: 'Memory as the text grows',
      xTitle: 'tokens in memory',
      yTitle: 'bytes',
      xScale: 'log',
      yScale: 'log',
    },
  );
}

/** From which length on each mechanism is cheaper per token than the memory that grows, which is full attention. */
function crossovers(entries: readonly Entry[], context: ReportContext): string {
  const full = entries.find((entry) => context.grows(entry));
  if (!full) return '';
  const reference = byContext(full, 'time per token');
  const sentences = entries
    .filter((entry) => entry !== full)
    .map((entry) => {
      const at = crossover(byContext(entry, 'time per token'), reference);
      const name = context.labels.entry(entry);
      if (at === undefined) return `${name}: not within the lengths measured`;
      return at <= reference[0]!.x
        ? `${name}: at every length measured`
        : `${name}: from about ${formatNumber(Math.round(at))} tokens on`;
    });
  return `Cheaper per token than ${context.labels.entry(full)}: ${sentences.join('; ')}.`;
}

/** Where a line falls below another for good, interpolated on logarithmic axes. */
export function crossover(
  line: readonly { readonly x: number; readonly y: number }[],
  reference: readonly { readonly x: number; readonly y: number }[],
): number | undefined {
  const gaps = line.flatMap(({ x, y }) => {
    const other = reference.find((point) => point.x === x);
    return other ? [{ x, gap: Math.log(y / other.y) }] : [];
  });
  const last = gaps.at(-1);
  if (!last || last.gap >= 0) return undefined;
  const before = gaps.findLastIndex(({ gap }) => gap >= 0);
  if (before === -1) return gaps[0]!.x;
  const [a, b] = [gaps[before]!, gaps[before + 1]!];
  const share = a.gap / (a.gap - b.gap);
  return Math.exp(Math.log(a.x) + share * Math.log(b.x / a.x));
}

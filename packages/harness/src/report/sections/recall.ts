import { metricOf } from '../../results/aggregate.js';
import type { AggregatedMetric, Entry } from '../../results/entry.js';
import { sliceWords } from '../../results/labels.js';
import type { TaskGroup } from '../../results/tables.js';
import { type HeatCell, heatChart } from '../charts/heat-chart.js';
import type { Series } from '../charts/line-chart.js';
import { type Figure, lineFigure, renderFigure } from '../figure.js';
import { paragraph, type Section, subheading } from '../html-parts.js';
import type { Markup } from '../markup.js';
import { chanceOf } from '../verdicts/farthest.js';
import type { ReportContext } from './context.js';
import { taskTables } from './task-tables.js';

const SLICED = 'accuracy by slice';

/** Generated recall tasks: the frontier of recall against bytes first, then every task. */
export async function recallSection(context: ReportContext): Promise<Section | undefined> {
  const groups = context.family('recall');
  if (groups.length === 0) return undefined;
  const parts: Markup[] = [];
  for (const group of groups) {
    const description = group.task?.description ?? '';
    parts.push(subheading(group.title), paragraph(description), ...context.explain([description]));
    const figures = [
      ...frontiers(group, context),
      ...(hasDepth(group) ? heatMaps(group, context) : bySlice(group, context)),
      lossCurves(group, context),
    ];
    for (const figure of figures) if (figure) parts.push(await renderFigure(context.figure(figure)));
    parts.push(...taskTables(group, context));
  }
  return { id: 'recall', title: 'Recall', body: parts };
}

/**
 * Recall against bytes of state, one curve per mechanism; needs mechanisms at several sizes. Where a task is asked in a few
 * grades (numbers of pairs), one picture for each.
 */
function frontiers(group: TaskGroup, context: ReportContext): Figure[] {
  const grades = group.entries[0] && !hasDepth(group) ? slicesOf(group.entries[0]) : [];
  const whole = frontier(group, context, '', (entry) => metricOf(entry, 'accuracy'));
  if (!whole) return [];
  if (grades.length < 2 || grades.length > MOST_GRADES) return [whole];
  const bySlice = grades.flatMap(({ slice }) => {
    const key = JSON.stringify(slice);
    const pick = (entry: Entry) => slicesOf(entry).find((metric) => JSON.stringify(metric.slice) === key);
    return frontier(group, context, `, ${sliceWords(slice)}`, pick) ?? [];
  });
  return [whole, ...bySlice];
}

const MOST_GRADES = 6;

function frontier(
  group: TaskGroup,
  context: ReportContext,
  grade: string,
  pick: (entry: Entry) => AggregatedMetric | undefined,
): Figure | undefined {
  const byModel = seriesBy(group.entries, context, (entries) =>
    entries.flatMap((entry) => {
      const metric = pick(entry);
      return metric && entry.stateBytes
        ? [{ x: entry.stateBytes, y: metric.value, error: metric.standardError }]
        : [];
    }),
  );
  if (!byModel.some(({ points }) => points.length > 1)) return undefined;
  const chance = chanceOf(group);
  return lineFigure(
    {
      name: `${group.name}-frontier${grade}`,
      caption:
        'Accuracy against bytes of memory, one curve per mechanism, one point per width. Up and left is better.',
    },
    byModel,
    {
      title: `${group.title}${grade}: what a byte of memory keeps`,
      xTitle: 'bytes of memory per text',
      yTitle: 'accuracy, %',
      xScale: 'log',
      yDomain: [0, 103],
      levels: chance === undefined ? undefined : [{ name: 'chance', y: chance }],
    },
  );
}

/** One series per model, points by x. */
function seriesBy(
  entries: readonly Entry[],
  context: ReportContext,
  pointsOf: (entries: readonly Entry[]) => { x: number; y: number; error: number | undefined }[],
): Series[] {
  const models = [...new Set(entries.map(({ model }) => model ?? ''))];
  const order = context.registry.contenders.map(({ name }) => name);
  return models
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((model) => ({
      name: context.labels.model(model),
      ...context.style({ model }),
      points: pointsOf(entries.filter((entry) => entry.model === model)).sort((a, b) => a.x - b.x),
    }))
    .filter(({ points }) => points.length > 0);
}

/** The entry of every model that counts: at several sizes, the best one. */
function representatives({ entries }: TaskGroup): Entry[] {
  return entries.filter(
    (entry, index) => entries.findIndex((other) => other.model === entry.model) === index,
  );
}

const slicesOf = (entry: Entry): AggregatedMetric[] => entry.metrics.filter(({ name }) => name === SLICED);

/** Accuracy along the one number that slices differ in: length, distance, pairs. */
function bySlice(group: TaskGroup, context: ReportContext): Figure[] {
  const entries = representatives(group);
  const slices = entries.flatMap(slicesOf).map(({ slice }) => slice);
  const names = [...new Set(slices.flatMap((slice) => Object.keys(slice)))];
  const varying = names.filter((name) => new Set(slices.map((slice) => slice[name])).size > 2);
  const [along] = varying;
  if (along === undefined || varying.length > 1) return [];
  const series = seriesBy(entries, context, (own) =>
    own.flatMap((entry) =>
      slicesOf(entry).map(({ slice, value, standardError }) => ({
        x: Number(slice[along]),
        y: value,
        error: standardError,
      })),
    ),
  );
  const chance = chanceOf(group);
  const trained = trainedUpTo(group);
  return [
    lineFigure(
      {
        name: `${group.name}-by-${along}`,
        caption: `Accuracy by ${along}, the text streamed through the memory; right of the mark it is longer than any in training.`,
      },
      series,
      {
        title: `${group.title}: accuracy by ${along}`,
        xTitle: `${along}, tokens`,
        yTitle: 'accuracy, %',
        xScale: 'log',
        yDomain: [0, 103],
        levels: chance === undefined ? undefined : [{ name: 'chance', y: chance }],
        marks: trained === undefined ? undefined : [{ name: 'trained up to here', x: trained }],
      },
    ),
  ];
}

/** The longest length or distance of training, by the names that tasks give it. */
function trainedUpTo({ task, entries }: TaskGroup): number | undefined {
  const parsed = task?.options.safeParse(entries[0]!.taskOptions);
  if (!parsed?.success) return undefined;
  const options = parsed.data as Record<string, unknown>;
  const value = options.trainDistance ?? options.trainLength ?? options.length;
  return typeof value === 'number' ? value : undefined;
}

const hasDepth = ({ entries }: TaskGroup) =>
  entries.some((entry) => slicesOf(entry).some(({ slice }) => 'depth' in slice));

/** Depth by length, one map per model. */
function heatMaps(group: TaskGroup, context: ReportContext): Figure[] {
  const cells: HeatCell[] = representatives(group).flatMap((entry) =>
    slicesOf(entry).map(({ slice, value }) => ({
      panel: context.labels.model(entry.model ?? ''),
      x: Number(slice.length),
      y: Number(slice.depth),
      value,
    })),
  );
  const trained = trainedUpTo(group);
  return [
    {
      name: `${group.name}-heat-map`,
      spec: (width) =>
        heatChart(cells, {
          width,
          title: `${group.title}: accuracy in percent`,
          xTitle: `length of the text, tokens${trained === undefined ? '' : ` (trained at ${trained})`}`,
          yTitle: 'depth of the needle',
          unit: 'accuracy, %',
        }),
      caption: 'Depth 0 is the start of the text, 1 its end. Chance is 10 %.',
    },
  ];
}

function lossCurves(group: TaskGroup, context: ReportContext): Figure | undefined {
  const entries = representatives(group);
  const series = seriesBy(entries, context, (own) =>
    own.flatMap(({ curves }) => (curves[0]?.points ?? []).map(([x, y]) => ({ x, y, error: undefined }))),
  );
  if (series.length === 0) return undefined;
  return lineFigure(
    {
      name: `${group.name}-loss`,
      caption: 'Training loss of the model that is shown above; a curve that ends early had solved the task.',
    },
    series,
    {
      title: `${group.title}: loss while learning`,
      xTitle: 'training step',
      yTitle: 'nats per answer',
    },
  );
}

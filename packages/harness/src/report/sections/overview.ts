import { maximum } from '@palimpsest/base';
import { metricOf } from '../../results/aggregate.js';
import type { Entry } from '../../results/entry.js';
import type { TaskGroup } from '../../results/tables.js';
import { formatBytes, formatNumber } from '../format.js';
import { bulletList, htmlTable, paragraph, type Section, subheading } from '../html-parts.js';
import { farthest, valueBeyond } from '../verdicts/farthest.js';
import { groupVerdicts } from '../verdicts/group-verdict.js';
import type { ReportContext } from './context.js';

interface Column {
  readonly name: string;
  readonly say: (model: string) => string;
}

/** Which memory keeps what, at what cost: one row per model, a column per task and one for what lies beyond training. */
export function overview(context: ReportContext): Section {
  const asked = context.groups.filter(
    ({ task, entries }) =>
      task && entries.some((entry) => entry.model !== undefined && !context.isFloor(entry)),
  );
  const models = [...new Set(asked.flatMap(({ entries }) => entries.map(({ model }) => model)))].filter(
    (model) => model !== undefined && !context.isFloor({ model }),
  ) as string[];
  const rows = context
    .inOrder(models.map((model) => ({ model })))
    .map(({ model }) => [
      context.labels.model(model),
      ...asked.flatMap(columnsOf).map(({ say }) => say(model)),
      memoryOf(asked, model),
    ]);
  const words = sentences(context);
  const columns = ['model', ...asked.flatMap(columnsOf).map(({ name }) => name), 'memory'];
  return {
    id: 'overview',
    title: 'At a glance',
    body: [
      paragraph(
        'Which memory keeps what, at what cost? One row per model, at its best size where several were tried; memory is that of the longest context where it grows.',
      ),
      htmlTable(columns, rows),
      ...context.explain(columns),
      subheading('In words'),
      bulletList(words),
      ...context.explain(words),
      paragraph(RULE, 'soft'),
    ],
  };
}

/** How sentences tell differences from noise. */
const RULE =
  'How noise is told: where two models ran with the same seeds, their difference is taken seed by seed, and it counts when the 95 % interval of its mean (Student’s t) leaves 0 out; with seeds that are not shared, the interval is Welch’s. With one seed nothing is known about the noise between runs, and the sentence says so. Every pair is judged by itself. Bytes within 5 % count as equal.';

/** The headline of a task, and the farthest beyond training where it was asked there. */
function columnsOf(group: TaskGroup): Column[] {
  const { title, task, entries } = group;
  const { metric, unit } = task!.headline;
  const words = unit === '' ? metric : `${metric}, ${unit}`;
  const best = (model: string): Entry | undefined => entries.find((entry) => entry.model === model);
  const show = (value: number | undefined) => (value === undefined ? '' : formatNumber(value));
  const headline: Column = {
    name: `${title}: ${words}`,
    say: (model) => {
      const entry = best(model);
      return show(entry && metricOf(entry, metric)?.value);
    },
  };
  const far = farthest(group);
  if (!far) return [headline];
  const say = (model: string) => {
    const entry = best(model);
    return show(entry && valueBeyond(entry, far)?.value);
  };
  return [headline, { name: `beyond training: ${far.words}`, say }];
}

function memoryOf(groups: readonly TaskGroup[], model: string): string {
  const sizes = groups.flatMap(({ entries }) =>
    entries.flatMap((entry) =>
      entry.model === model && entry.stateBytes !== undefined ? [entry.stateBytes] : [],
    ),
  );
  return sizes.length === 0 ? '' : formatBytes(maximum(sizes));
}

/** What passed and what did not, and the first sentence of every table; the others stand below their tables. */
function sentences(context: ReportContext): string[] {
  const { document, groups, labels, source } = context;
  const checked = document.entries.filter(({ passed }) => passed !== undefined);
  const broken = checked.filter(({ passed }) => !passed);
  const firsts = groups.flatMap((group) =>
    groupVerdicts(group, source).map(({ about, sentences: [first = ''] }) => {
      const where = about === '' ? group.title : `${group.title}, ${about}`;
      return `${where}: ${first}`;
    }),
  );
  return [
    ...firsts,
    ...groups.flatMap((group) => floorSentence(group, context)),
    ...(checked.length > 0
      ? [
          `${checked.length - broken.length} of ${checked.length} checks hold${broken.length > 0 ? `; not: ${broken.map((entry) => labels.entry(entry)).join(', ')}` : ''}.`,
        ]
      : []),
    ...(document.failed.length > 0
      ? [`${document.failed.length} cells could not be computed; they are listed below.`]
      : []),
  ];
}

/** Who reads better than the best table of counts. */
function floorSentence({ task, title, entries }: TaskGroup, context: ReportContext): string[] {
  const name = (entry: Entry) => context.labels.entry(entry);
  if (task?.name !== 'language') return [];
  const value = (entry: Entry) => metricOf(entry, task.headline.metric)?.value ?? Number.POSITIVE_INFINITY;
  const floors = entries.filter((entry) => context.isFloor(entry));
  if (floors.length === 0) return [];
  const best = floors.reduce((lowest, entry) => (value(entry) < value(lowest) ? entry : lowest));
  const below = entries.filter((entry) => !context.isFloor(entry) && value(entry) < value(best));
  const who = below.length === 0 ? 'no model' : below.map(name).join('; ');
  return [
    `${title}: the best table of counts is the ${name(best)} with ${formatNumber(value(best))} bits; below it: ${who}.`,
  ];
}

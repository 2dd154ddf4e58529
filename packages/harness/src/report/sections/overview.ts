import { maximum } from '@palimpsest/base';
import { metricOf } from '../../results/aggregate.js';
import type { Entry } from '../../results/entry.js';
import type { TaskGroup } from '../../results/tables.js';
import { formatBytes, formatNumber } from '../format.js';
import { bulletList, htmlTable, paragraph, type Section } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { ReportContext } from './context.js';

/** Which memory keeps what, at what cost: one row per model at its usual size, one column per task. */
export function overview(context: ReportContext): Section {
  const asked = context.groups.filter(
    ({ task, entries }) =>
      task && entries.some((entry) => entry.model !== undefined && !context.isFloor(entry)),
  );
  const models = [...new Set(asked.flatMap(({ entries }) => entries.map(({ model }) => model)))].filter(
    (model) => model !== undefined && !context.isFloor({ model }),
  ) as string[];
  const rows = models.map((model) => [
    context.labels.model(model),
    ...asked.map((group) => headlineOf(group, model)),
    memoryOf(asked, model),
  ]);
  const columns = [
    'model',
    ...asked.map(({ title, task }) => `${title}: ${task!.headline.metric}${unitOf(task!.headline.unit)}`),
    'memory',
  ];
  return {
    id: 'overview',
    title: 'At a glance',
    body: [
      paragraph(
        'Which memory keeps what, at what cost? One row per model, at its best size where several were tried; memory is what one text occupies between two tokens, at that of the longest context where it grows.',
      ),
      htmlTable(columns, rows),
      verdicts(context),
    ],
  };
}

const unitOf = (unit: string) => (unit === '' ? '' : `, ${unit}`);

/** The model's best headline in a group. */
function headlineOf({ task, entries }: TaskGroup, model: string): string {
  const own = entries.find((entry) => entry.model === model);
  const metric = own && task ? metricOf(own, task.headline.metric) : undefined;
  return metric ? formatNumber(metric.value) : '';
}

function memoryOf(groups: readonly TaskGroup[], model: string): string {
  const sizes = groups.flatMap(({ entries }) =>
    entries.flatMap((entry) =>
      entry.model === model && entry.stateBytes !== undefined ? [entry.stateBytes] : [],
    ),
  );
  return sizes.length === 0 ? '' : formatBytes(maximum(sizes));
}

/** What passed and what did not, in sentences. */
function verdicts(context: ReportContext): Markup {
  const { document, groups, labels } = context;
  const checked = document.entries.filter(({ passed }) => passed !== undefined);
  const broken = checked.filter(({ passed }) => !passed);
  const sentences = [
    `${checked.length - broken.length} of ${checked.length} checks hold${broken.length > 0 ? `; not: ${broken.map((entry) => labels.entry(entry)).join(', ')}` : ''}.`,
    ...(document.failed.length > 0
      ? [`${document.failed.length} cells could not be computed; they are listed below.`]
      : []),
    ...groups.flatMap((group) => floorSentence(group, context)),
  ];
  return bulletList(sentences);
}

/** Who reads better than the best table of counts. */
function floorSentence({ task, entries }: TaskGroup, context: ReportContext): string[] {
  const name = (entry: Entry) => context.labels.entry(entry);
  if (task?.name !== 'language') return [];
  const value = (entry: Entry) => metricOf(entry, task.headline.metric)?.value ?? Number.POSITIVE_INFINITY;
  const floors = entries.filter((entry) => context.isFloor(entry));
  if (floors.length === 0) return [];
  const best = floors.reduce((lowest, entry) => (value(entry) < value(lowest) ? entry : lowest));
  const below = entries.filter((entry) => !context.isFloor(entry) && value(entry) < value(best));
  const who = below.length === 0 ? 'no model' : below.map(name).join('; ');
  return [
    `Held-out text: the best table of counts is the ${name(best)} with ${formatNumber(value(best))} bits; below it: ${who}.`,
  ];
}

import { canonicalJson } from '../../cells/canonical-json.js';
import type { EvaluationRegistry } from '../../cells/task.js';
import { metricOf } from '../../results/aggregate.js';
import type { Entry, FailedCell } from '../../results/entry.js';
import type { Labels } from '../../results/labels.js';
import type { TaskGroup } from '../../results/tables.js';
import { chanceOf, farthest, type Value, valueBeyond } from './farthest.js';
import { type Contest, type Standing, verdictSentences } from './sentences.js';

/** What the sentences of a table are computed from, besides the table. */
export interface VerdictSource {
  readonly registry: EvaluationRegistry;
  readonly labels: Labels;
  readonly failed: readonly FailedCell[];
}

/** Sentences about one column of a table. */
export interface Verdict {
  /** Which column, as in 'distance 384, beyond training'; empty for the headline. */
  readonly about: string;
  readonly sentences: readonly string[];
}

/**
 * What the table of a task says in sentences: of its headline, and where it was asked beyond training, of the farthest of
 * that. Empty for tasks that compare no models.
 */
export function groupVerdicts(group: TaskGroup, source: VerdictSource): Verdict[] {
  const { task, entries } = group;
  if (!task || task.contenders === 'none') return [];
  const { metric, unit, higherIsBetter } = task.headline;
  const chance = chanceOf(group);
  const ask = (pick: (entry: Entry) => Value | undefined): Contest => ({
    unit,
    higherIsBetter,
    chance,
    standings: entries.flatMap((entry) => {
      // A model that was asked at one size needs no size to be told from the others.
      const isAlone = entries.every((other) => other === entry || other.model !== entry.model);
      const standing = standingOf(entry, pick(entry), source);
      return standing ? [isAlone ? { ...standing, name: standing.title } : standing] : [];
    }),
    failed: failedOf(group, source),
  });
  const headline = { about: '', sentences: verdictSentences(ask((entry) => metricOf(entry, metric))) };
  const far = farthest(group);
  if (!far) return [headline];
  const beyond = ask((entry) => valueBeyond(entry, far));
  return [
    headline,
    { about: `${far.words}, beyond training`, sentences: verdictSentences({ ...beyond, failed: [] }) },
  ];
}

function standingOf(
  entry: Entry,
  value: Value | undefined,
  { registry, labels }: VerdictSource,
): Standing | undefined {
  if (!value || entry.model === undefined) return undefined;
  return {
    name: labels.entry(entry),
    model: entry.model,
    title: labels.model(entry.model),
    isOwn: isOwn(entry.model, registry),
    isExact: labels.isCounted(entry.model),
    value: value.value,
    standardError: value.standardError,
    bySeed: value.bySeed ?? [],
    stateBytes: entry.stateBytes,
  };
}

/** Whether a model is its mechanism's own, not a control and not a rule over another model's memory. */
function isOwn(model: string, { contenders, mechanisms = [] }: EvaluationRegistry): boolean {
  const contender = contenders.find(({ name }) => name === model);
  const card = mechanisms.find(({ name }) => name === contender?.mechanism);
  return card !== undefined && card.isControl !== true;
}

/** Failed cells of the same task under the same options. */
function failedOf(
  { name, entries }: TaskGroup,
  { failed, labels }: VerdictSource,
): NonNullable<Contest['failed']> {
  const options = canonicalJson(entries[0]?.taskOptions ?? {});
  return failed
    .filter(({ spec }) => spec.task === name && canonicalJson(spec.taskOptions) === options)
    .map(({ spec, error }) => ({ name: labels.entry(spec), reason: error }));
}

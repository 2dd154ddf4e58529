import { errorOfMean, mean } from '@palimpsest/base';
import { canonicalJson } from '../../cells/canonical-json.js';
import type { Task } from '../../cells/task.js';
import type { AggregatedMetric, Entry } from '../../results/entry.js';

/** Entries of one task under one set of options. */
export interface Asked {
  readonly task: Task | undefined;
  readonly entries: readonly Entry[];
}

/** A value with what comparisons need of it. */
export type Value = Pick<AggregatedMetric, 'value' | 'standardError' | 'bySeed'>;

/** The farthest that a task was asked beyond training; slices that differ in depth alone go together. */
export interface Farthest {
  readonly slices: readonly AggregatedMetric['slice'][];
  /** As in 'distance 384'. */
  readonly words: string;
}

/** Where a task was asked beyond training, the farthest of it; undefined when it was not. */
export function farthest({ task, entries }: Asked): Farthest | undefined {
  const options = optionsOf({ task, entries });
  const beyond = (options && task?.beyondTraining?.(options)) ?? [];
  const last = beyond.at(-1);
  if (!last) return undefined;
  const along = Object.entries(last).filter(([name]) => name !== 'depth');
  const slices = beyond.filter((slice) => along.every(([name, value]) => slice[name] === value));
  return { slices, words: along.map(([name, value]) => `${name} ${value}`).join(', ') };
}

/** Value of a blind guess at a task. */
export function chanceOf(asked: Asked): number | undefined {
  const options = optionsOf(asked);
  return options && asked.task?.chance?.(options);
}

/** Mean of an entry over the slices that lie farthest, seed by seed; the error is that over samples or over seeds. */
export function valueBeyond({ metrics }: Entry, { slices }: Farthest): Value | undefined {
  const wanted = new Set(slices.map((slice) => canonicalJson(slice)));
  const found = metrics.filter(
    ({ name, slice }) => name === 'accuracy by slice' && wanted.has(canonicalJson(slice)),
  );
  const [first] = found;
  if (!first) return undefined;
  const seeds = (first.bySeed ?? []).map(([seed]) => seed);
  const bySeed = seeds.flatMap((seed): [number, number][] => {
    const values = found.flatMap((metric) => metric.bySeed?.find(([own]) => own === seed)?.[1] ?? []);
    return values.length === found.length ? [[seed, mean(values)]] : [];
  });
  const errors = found.flatMap(({ standardError }) => standardError ?? []);
  const overSamples = errors.length === found.length ? Math.hypot(...errors) / errors.length : undefined;
  return {
    value: mean(found.map(({ value }) => value)),
    bySeed,
    standardError: bySeed.length >= 2 ? errorOfMean(bySeed.map(([, value]) => value)) : overSamples,
  };
}

function optionsOf({ task, entries }: Asked): Record<string, unknown> | undefined {
  const parsed = task?.options.safeParse(entries[0]?.taskOptions);
  return parsed?.success ? (parsed.data as Record<string, unknown>) : undefined;
}

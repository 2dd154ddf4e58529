import { z } from 'zod';
import { accepts } from './cells/resolve-cell.js';
import type { Contender, EvaluationRegistry, Task } from './cells/task.js';
import { unknownName } from './names.js';
import type { Profile } from './profiles/profiles.js';
import { textTable } from './report/table.js';

/** What an option means, for people and programs that choose one. */
export interface OptionDescription {
  readonly name: string;
  readonly meaning: string;
  /** As JSON; absent when the option must be given, or when there is nothing until it is. */
  readonly default?: unknown;
  /** The values, when they are few. */
  readonly choices?: readonly string[] | undefined;
}

/** Everything that there is to say about a task, a model or a profile. */
export type CatalogueEntry =
  | {
      readonly kind: 'task';
      readonly name: string;
      readonly title: string;
      readonly description: string;
      readonly family: Task['family'];
      readonly headline: Task['headline'];
      /** Headline of a blind guess at the default options. */
      readonly chance?: number | undefined;
      /** Names of the models that it can be asked of; empty for a task that measures a library. */
      readonly models: readonly string[];
      readonly options: readonly OptionDescription[];
    }
  | {
      readonly kind: 'model';
      readonly name: string;
      readonly title: string;
      readonly description: string;
      readonly mechanism: string;
      readonly trained: boolean;
      readonly learningRate?: number | undefined;
      readonly tasks: readonly string[];
      readonly options: readonly OptionDescription[];
    }
  | {
      readonly kind: 'profile';
      readonly name: string;
      readonly description: string;
      readonly cells: number;
      readonly tasks: readonly string[];
      readonly models: readonly string[];
      readonly seeds: readonly number[];
      readonly learningRates: readonly number[];
    };

/** Describes what a name stands for. @throws InputError listing every name, the nearest one first. */
export function describeEntry(
  registry: EvaluationRegistry,
  profiles: readonly Profile[],
  name: string,
): CatalogueEntry {
  const task = registry.tasks.find((candidate) => candidate.name === name);
  if (task) return describeTask(task, registry);
  const contender = registry.contenders.find((candidate) => candidate.name === name);
  if (contender) return describeModel(contender, registry);
  const profile = profiles.find((candidate) => candidate.name === name);
  if (profile) return describeProfile(profile);
  const names = [...registry.tasks, ...registry.contenders, ...profiles].map((thing) => thing.name);
  throw unknownName('task, model or profile', name, names);
}

function describeTask(task: Task, { contenders }: EvaluationRegistry): CatalogueEntry {
  const { name, title, description, family, headline } = task;
  const defaults = task.options.safeParse({});
  const chance = defaults.success ? task.chance?.(defaults.data) : undefined;
  return {
    kind: 'task',
    name,
    title,
    description,
    family,
    headline,
    chance,
    models: contenders.filter((contender) => accepts(task, contender)).map((contender) => contender.name),
    options: optionsOf(task.options),
  };
}

function describeModel(contender: Contender, { tasks }: EvaluationRegistry): CatalogueEntry {
  const { name, title, description, mechanism, kind } = contender;
  return {
    kind: 'model',
    name,
    title,
    description,
    mechanism,
    trained: kind === 'trained',
    learningRate: contender.kind === 'trained' ? contender.learningRate : undefined,
    tasks: tasks.filter((task) => accepts(task, contender)).map((task) => task.name),
    options: optionsOf(contender.options),
  };
}

function describeProfile({ name, description, cells }: Profile): CatalogueEntry {
  const distinct = <T>(values: readonly (T | undefined)[]) =>
    [...new Set(values)].filter((value): value is T => value !== undefined);
  return {
    kind: 'profile',
    name,
    description,
    cells: cells.length,
    tasks: distinct(cells.map(({ task }) => task)),
    models: distinct(cells.map(({ model }) => model)),
    seeds: distinct(cells.map(({ seed }) => seed)),
    learningRates: distinct(cells.map(({ learningRate }) => learningRate)),
  };
}

/** Reads names, meanings and defaults out of a schema. */
export function optionsOf(schema: z.ZodObject): OptionDescription[] {
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, type]) => {
    let inner = type;
    let meaning = type.description;
    let standard: unknown;
    while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) {
      if (inner instanceof z.ZodDefault) standard = inner.def.defaultValue;
      inner = inner.unwrap() as z.ZodType;
      meaning ??= inner.description;
    }
    const choices = inner instanceof z.ZodEnum ? inner.options.map(String) : undefined;
    return {
      name,
      meaning: meaning ?? '',
      default: standard,
      choices,
    };
  });
}

/**
 * A description as text for a terminal.
 * @param width most characters of a line of the table. Default: no limit.
 */
export function formatEntry(description: CatalogueEntry, width?: number): string {
  const facts = factsOf(description).map(([name, value]) => `${name}: ${value}`);
  const title = 'title' in description ? `, ${description.title}` : '';
  const parts = [
    `${description.kind} ${description.name}${title}`,
    description.description,
    facts.join('\n'),
  ];
  if ('options' in description && description.options.length > 0) {
    const rows = description.options.map(({ name, meaning, choices, default: standard }) => [
      name,
      standard === undefined ? '' : typeof standard === 'string' ? standard : JSON.stringify(standard),
      choices ? `${meaning} (${choices.join(', ')})` : meaning,
    ]);
    parts.push(textTable(['option', 'default', 'meaning'], rows, [], width));
  }
  return parts.join('\n\n');
}

function factsOf(description: CatalogueEntry): [string, string][] {
  const list = (names: readonly (string | number)[]) => names.join(', ') || 'none';
  if (description.kind === 'task') {
    const { headline, family, chance, models } = description;
    const unit = headline.unit === '' ? '' : `, in ${headline.unit}`;
    return [
      ['family', family],
      ['headline', `${headline.metric}${unit}, ${headline.higherIsBetter ? 'higher' : 'lower'} is better`],
      ...(chance === undefined ? [] : ([['chance', String(chance)]] as [string, string][])),
      ['models', models.length === 0 ? 'none, it measures a library' : list(models)],
    ];
  }
  if (description.kind === 'model') {
    const { mechanism, trained, learningRate, tasks } = description;
    return [
      ['mechanism', mechanism],
      ['learning', trained ? `by gradients, learning rate ${learningRate}` : 'counts of the training text'],
      ['tasks', list(tasks)],
    ];
  }
  const { cells, tasks, models, seeds, learningRates } = description;
  return [
    ['cells', String(cells)],
    ['tasks', list(tasks)],
    ['models', list(models)],
    ['seeds', list(seeds)],
    ['learning rates', learningRates.length === 0 ? "each model's own" : list(learningRates)],
  ];
}

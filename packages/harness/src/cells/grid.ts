import { readFile } from 'node:fs/promises';
import { parseJson, requireRegularFile, systemReason } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { byName, unknownName } from '../names.js';
import type { CellSpecInput } from './cell.js';
import { accepts, firstIssue } from './resolve-cell.js';
import type { Contender, EvaluationRegistry, Task } from './task.js';

const optionsSchema = z.record(z.string(), z.json());

/** A task or model, by its name alone or with what differs from its defaults. */
const choiceSchema = z.union([
  z.string().transform((name) => ({ name, options: {} as z.output<typeof optionsSchema> })),
  z.strictObject({ name: z.string(), options: optionsSchema.default({}) }),
]);

/** Every combination of tasks, models, sizes, learning rates and seeds: the file that `palimpsest sweep` reads. */
export const gridSchema = z.strictObject({
  tasks: z.array(choiceSchema).min(1),
  /** Without it: every model that a task can be asked of. */
  models: z.array(choiceSchema).optional(),
  /** Options of the models, as in `{ "width": 64, "layers": 2 }`; a model takes those that it has. */
  sizes: z.array(optionsSchema).min(1).default([{}]),
  /** Without it: each model's own. */
  learningRates: z.array(z.number().positive()).min(1).optional(),
  seeds: z.array(z.int().min(0)).min(1).default([1]),
  engine: z.string().default('auto'),
});

export type Grid = z.output<typeof gridSchema>;
export type GridInput = z.input<typeof gridSchema>;

/** Reads the file of a grid without checking what it says. @throws InputError when it is no JSON object. */
export async function readGridFile(path: string): Promise<Partial<GridInput>> {
  requireRegularFile(path);
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new InputError(`The grid '${path}' cannot be read: ${systemReason(error)}.`);
  });
  const json = parseJson(text, `The grid '${path}'`);
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new InputError(`The grid '${path}' must hold one JSON object.`);
}

/** Checks a grid. @throws InputError that names what is wrong. */
export function parseGrid(input: unknown): Grid {
  const result = gridSchema.safeParse(input);
  if (result.success) return result.data;
  throw new InputError(`The grid does not fit: ${firstIssue(result.error)}.`);
}

/**
 * Every cell of a grid, those of one task and seed together. Pairs of task and model that do not go together are left out.
 * @throws InputError for names that do not exist, models that fit no task, and sizes that no model has.
 */
export function expandGrid(registry: EvaluationRegistry, grid: Grid): CellSpecInput[] {
  const chosen = chooseModels(registry, grid);
  const cells: CellSpecInput[] = [];
  for (const { name, options } of grid.tasks) {
    const task = byName('task', registry.tasks, name);
    for (const seed of grid.seeds) {
      for (const model of modelCells(task, chosen, grid)) {
        cells.push({ task: name, taskOptions: options, ...model, seed, engine: grid.engine });
      }
    }
  }
  if (cells.length > 0) return cells;
  const names = grid.tasks.map(({ name }) => name).join(', ');
  throw new InputError(
    `None of the models can be asked ${names}; \`palimpsest ls\` says what goes together.`,
  );
}

interface ChosenModel {
  readonly contender: Contender;
  readonly options: Grid['sizes'][number];
}

function chooseModels(registry: EvaluationRegistry, { models, sizes }: Grid): ChosenModel[] {
  const chosen = models
    ? models.map(({ name, options }) => ({ contender: byName('model', registry.contenders, name), options }))
    : registry.contenders.map((contender) => ({ contender, options: {} }));
  const known = new Set(chosen.flatMap(({ contender }) => Object.keys(contender.options.shape)));
  const unknown = sizes.flatMap(Object.keys).find((key) => !known.has(key));
  if (unknown !== undefined) throw unknownName('option of a model called', unknown, [...known]);
  return chosen;
}

type ModelPart = Pick<CellSpecInput, 'model' | 'modelOptions' | 'learningRate'>;

function modelCells(task: Task, chosen: readonly ChosenModel[], grid: Grid): ModelPart[] {
  if (task.contenders === 'none') return [{}];
  const fitting = chosen.filter(({ contender }) => accepts(task, contender));
  return fitting.flatMap(({ contender, options }) =>
    grid.sizes.flatMap((size) => {
      const own = Object.entries(size).filter(([key]) => key in contender.options.shape);
      const modelOptions = { ...Object.fromEntries(own), ...options };
      const rates = contender.kind === 'trained' ? (grid.learningRates ?? [undefined]) : [undefined];
      return rates.map((learningRate) => ({
        model: contender.name,
        modelOptions,
        learningRate,
      }));
    }),
  );
}

import { InputError } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import { byName, unknownName } from '../names.js';
import { canonicalJson } from './canonical-json.js';
import { type CellSpec, type CellSpecInput, cellSpecSchema } from './cell.js';
import { cellKey, type Versions } from './key.js';
import type { Contender, EvaluationRegistry, Task } from './task.js';

/** A specification whose names and options exist, in the one form that its key is made of. */
export interface Cell {
  readonly key: string;
  /** Only options that differ from their defaults; the learning rate is there exactly when the contender is trained. */
  readonly spec: CellSpec;
  readonly task: Task;
  readonly contender?: Contender | undefined;
  /** Every option of the task, decided. */
  readonly taskOptions: Readonly<Record<string, unknown>>;
  /** Every option of the contender, decided. */
  readonly modelOptions: Readonly<Record<string, unknown>>;
}

/** Whether a task can be asked of a contender. */
export function accepts(task: Task, contender: Contender | undefined): boolean {
  if (task.contenders === 'none') return contender === undefined;
  return contender !== undefined && (task.contenders === 'any' || contender.kind === task.contenders);
}

/**
 * Looks the names up, checks the options, and brings the specification into its one form.
 * @param engine what `auto` stands for: the name of a real engine.
 * @throws InputError in one sentence for a task, model or option that does not exist or fit.
 */
export function resolveCell(
  registry: EvaluationRegistry,
  input: CellSpecInput,
  { engine, versions }: { readonly engine: string; readonly versions: Versions },
): Cell {
  const parsed = parseSpec(input);
  const task = byName('task', registry.tasks, parsed.task);
  const contender =
    parsed.model === undefined ? undefined : byName('model', registry.contenders, parsed.model);
  if (!accepts(task, contender)) throw new InputError(mismatch(task, contender));
  const taskOptions = parseOptions(`the task '${task.name}'`, task.options, parsed.taskOptions);
  const modelOptions = contender
    ? parseOptions(`the model '${contender.name}'`, contender.options, parsed.modelOptions)
    : { all: {}, changed: {} };
  const { learningRate, ...rest } = parsed;
  const spec: CellSpec = {
    ...rest,
    taskOptions: taskOptions.changed,
    modelOptions: modelOptions.changed,
    ...(contender?.kind === 'trained' ? { learningRate: learningRate ?? contender.learningRate } : {}),
    engine: parsed.engine === 'auto' ? engine : parsed.engine,
  };
  return {
    key: cellKey(spec, { ...versions, ...registry.versionsOf?.(spec) }),
    spec,
    task,
    contender,
    taskOptions: taskOptions.all,
    modelOptions: modelOptions.all,
  };
}

/** Resolves many cells; those that are the same in the end are there once, in the order of their first mention. */
export function resolveCells(
  registry: EvaluationRegistry,
  inputs: readonly CellSpecInput[],
  options: { readonly engine: string; readonly versions: Versions },
): Cell[] {
  const cells = new Map<string, Cell>();
  for (const input of inputs) {
    const cell = resolveCell(registry, input, options);
    if (!cells.has(cell.key)) cells.set(cell.key, cell);
  }
  return [...cells.values()];
}

function parseSpec(input: CellSpecInput): CellSpec {
  const result = cellSpecSchema.safeParse(input);
  if (result.success) return result.data;
  throw new InputError(`A cell's specification does not fit: ${firstIssue(result.error)}.`);
}

function mismatch(task: Task, contender: Contender | undefined): string {
  if (task.contenders === 'none') return `The task '${task.name}' measures a library and takes no model.`;
  if (!contender) return `The task '${task.name}' needs a model.`;
  return `The task '${task.name}' needs a model that is trained, and '${contender.name}' is counted.`;
}

interface ParsedOptions {
  readonly all: Record<string, unknown>;
  readonly changed: CellSpec['taskOptions'];
}

function parseOptions(
  owner: string,
  schema: z.ZodObject,
  given: Readonly<Record<string, unknown>>,
): ParsedOptions {
  const names = Object.keys(schema.shape);
  const unknown = Object.keys(given).find((key) => !names.includes(key));
  if (unknown !== undefined) throw unknownName(`option of ${owner} called`, unknown, names);
  const result = schema.safeParse(given);
  if (!result.success) {
    throw new InputError(`An option of ${owner} does not fit: ${firstIssue(result.error)}.`);
  }
  const defaults = schema.safeParse({});
  const standard = (defaults.success ? defaults.data : {}) as Record<string, unknown>;
  const changed = Object.entries(result.data).filter(
    ([key, value]) => key in given && canonicalJson(value) !== canonicalJson(standard[key]),
  );
  return { all: result.data, changed: Object.fromEntries(changed) as ParsedOptions['changed'] };
}

/** Path and message of what is wrong first. */
export function firstIssue(error: z.ZodError): string {
  const { path, message } = error.issues[0]!;
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

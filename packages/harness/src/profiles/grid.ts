import type { CellSpecInput } from '../cells/cell.js';

type JsonOptions = NonNullable<CellSpecInput['taskOptions']>;

/** A model at a size. */
export interface Entrant {
  readonly model: string;
  readonly options?: JsonOptions;
}

/** Cells of one task for several models, learning rates and seeds: every combination. */
export function grid(
  task: string,
  taskOptions: JsonOptions,
  entrants: readonly Entrant[],
  { seeds, rates = [undefined] }: { seeds: readonly number[]; rates?: readonly (number | undefined)[] },
): CellSpecInput[] {
  return entrants.flatMap(({ model, options = {} }) =>
    rates.flatMap((learningRate) =>
      seeds.map((seed) => ({
        task,
        taskOptions,
        model,
        modelOptions: options,
        ...(learningRate !== undefined && { learningRate }),
        seed,
        engine: 'auto',
      })),
    ),
  );
}

/** One cell of a task that measures a library. */
export function single(task: string, taskOptions: JsonOptions = {}, seed = 1): CellSpecInput {
  return { task, taskOptions, seed, engine: 'auto' };
}

/** Models at the size that they have by default. */
export function plain(models: readonly string[]): Entrant[] {
  return models.map((model) => ({ model }));
}

/** Every model at every width. */
export function sizes(models: readonly string[], widths: readonly number[]): Entrant[] {
  return models.flatMap((model) => widths.map((width) => ({ model, options: { width } })));
}

/** n-gram tables of orders 1 to `longest`. */
export function ngrams(longest: number): Entrant[] {
  return Array.from({ length: longest }, (_, index) => ({ model: 'ngram', options: { order: index + 1 } }));
}

/** Models whose memory has a fixed size. */
export const fixedSize = ['osam', 'rsm', 'transformer-window', 'transformer-sinks', 'linear-attention'];
/** Those, full attention, and the control that remembers nothing. */
export const everyone = [...fixedSize, 'transformer', 'no-memory'];
/** What has golden cases of an original program. */
export const goldenSystems = ['osam', 'rsm', 'backbone', 'kakeya', 'fiber-geometry'];

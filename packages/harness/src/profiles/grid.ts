import type { Contender, Mechanism, TrainedContender } from '@palimpsest/lm';
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
        learningRate,
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

/** Models with those of the options that they have. */
export function sized({ optionsOf }: Field, models: readonly string[], options: JsonOptions): Entrant[] {
  return models.map((model) => {
    const own = Object.entries(options).filter(([name]) => optionsOf.get(model)?.has(name));
    return { model, options: Object.fromEntries(own) };
  });
}

/** Every model at every width; cells that are the same then, as those of a model without a width, are computed once. */
export function sizes(field: Field, models: readonly string[], widths: readonly number[]): Entrant[] {
  return models.flatMap((model) => widths.flatMap((width) => sized(field, [model], { width })));
}

/** Models at the size at which all have about the same number of parameters. */
export function matched({ matchedOptionsOf }: Field, models: readonly string[]): Entrant[] {
  return models.map((model) => ({ model, options: matchedOptionsOf.get(model) ?? {} }));
}

/** Models at every size of memory that they name. */
export function memories({ memorySizesOf }: Field, models: readonly string[]): Entrant[] {
  return models.flatMap((model) => (memorySizesOf.get(model) ?? [{}]).map((options) => ({ model, options })));
}

/** Tables of counts of orders 1 to `longest`. */
export function countedTables({ counted }: Field, longest: number): Entrant[] {
  return counted.flatMap((model) =>
    Array.from({ length: longest }, (_, index) => ({ model, options: { order: index + 1 } })),
  );
}

/** Who takes part in the profiles: the first model of every mechanism. */
export interface Field {
  /** Trained models whose memory has a fixed size. */
  readonly fixed: readonly string[];
  /** Those whose memory grows with the text. */
  readonly growing: readonly string[];
  /** Those without a memory. */
  readonly none: readonly string[];
  /** All of them. */
  readonly everyone: readonly string[];
  /** Tables of counts. */
  readonly counted: readonly string[];
  /** The weights of another model, asked under another memory: they learn what that one learns. */
  readonly borrowed: readonly string[];
  /** Sizes of their memory. */
  readonly memorySizesOf: ReadonlyMap<string, readonly JsonOptions[]>;
  /** Options at which models have as many parameters as the others, for those to whom their defaults do not give them. */
  readonly matchedOptionsOf: ReadonlyMap<string, JsonOptions>;
  /** Names of the options of each of them. */
  readonly optionsOf: ReadonlyMap<string, ReadonlySet<string>>;
  /** What has golden cases of an original program. */
  readonly goldenSystems: readonly string[];
}

/** @param quick leaves out what a few minutes have no room for. Default false */
export function fieldOf(
  mechanisms: readonly Mechanism[],
  goldenSystems: readonly string[],
  quick = false,
): Field {
  const isAsked = (contender: Contender) =>
    !quick || contender.kind !== 'trained' || contender.quick !== false;
  const borrowed = mechanisms.flatMap(({ contenders = [] }) =>
    contenders.flatMap((contender) => (isBorrowed(contender) && isAsked(contender) ? [contender] : [])),
  );
  const first = mechanisms.flatMap(({ memory, contenders = [] }) =>
    contenders
      .filter((contender) => !isBorrowed(contender))
      .slice(0, 1)
      .filter(isAsked)
      .map(({ name, kind, options }) => ({ name, kind, options, memory })),
  );
  const trained = first.filter(({ kind }) => kind === 'trained');
  const [fixed, growing, none] = (['fixed', 'growing', 'none'] as const).map((memory) =>
    trained.filter((contender) => contender.memory === memory).map(({ name }) => name),
  ) as [string[], string[], string[]];
  return {
    fixed,
    growing,
    none,
    everyone: [...fixed, ...growing, ...none],
    borrowed: borrowed.map(({ name }) => name),
    memorySizesOf: new Map(
      borrowed.flatMap(({ name, memorySizes }) => (memorySizes ? [[name, memorySizes] as const] : [])),
    ),
    matchedOptionsOf: new Map(
      mechanisms.flatMap(({ contenders = [] }) =>
        contenders.flatMap((contender) =>
          contender.kind === 'trained' && contender.parameterMatched
            ? [[contender.name, contender.parameterMatched] as const]
            : [],
        ),
      ),
    ),
    counted: first.filter(({ kind }) => kind === 'counted').map(({ name }) => name),
    optionsOf: new Map(first.map(({ name, options }) => [name, new Set(Object.keys(options.shape))])),
    goldenSystems,
  };
}

type Borrowed = TrainedContender & Required<Pick<TrainedContender, 'learner'>>;

/** Whether what is asked has the weights of another model. */
export const isBorrowed = (contender: Contender): contender is Borrowed =>
  contender.kind === 'trained' && contender.learner !== undefined;

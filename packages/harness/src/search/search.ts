import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { canonicalJson } from '../cells/canonical-json.js';
import type { CellSpecInput } from '../cells/cell.js';
import type { EvaluationRegistry } from '../cells/task.js';
import { byName } from '../names.js';
import { needle, recall, text } from '../profiles/quick.js';
import { formatNumber } from '../report/format.js';
import { textTable } from '../report/table.js';
import { optionWords } from '../results/labels.js';
import type { JudgedTrial } from './judge.js';
import { drawTrials, type Trial } from './trials.js';

/**
 * What a search asks by default: the questions of the quick profile, the held-out text made from another seed, so that no
 * choice sees what the tables report.
 */
const SEARCHED_TASKS: Readonly<Record<string, NonNullable<CellSpecInput['taskOptions']>>> = {
  mqar: recall,
  'retrieval-distance': needle,
  language: { ...text, storySeed: 1001 },
};
export const searchedTasks = Object.keys(SEARCHED_TASKS);

/** Seeds below this one are those of tables. */
export const FIRST_SEARCH_SEED = 1001;

export interface SearchPlan {
  /** Names of models; all that are trained when none is given. */
  readonly models?: readonly string[] | undefined;
  readonly tasks: readonly string[];
  /** Trials of every model. */
  readonly trials: number;
  /** Seeds of data and parameters; each at least {@link FIRST_SEARCH_SEED}. */
  readonly seeds: readonly number[];
  /** The best trials of every model that are computed again. */
  readonly finalists: number;
  /** Seeds that finalists are computed with besides the others; each at least {@link FIRST_SEARCH_SEED}. */
  readonly finalSeeds: readonly number[];
  readonly engine: string;
}

/**
 * The trials of a search and the cells that they need: as many for one model as for another.
 * @throws InputError for models, tasks or seeds that do not fit.
 */
export function planSearch(
  registry: EvaluationRegistry,
  { models, tasks, trials, seeds, finalSeeds, engine }: SearchPlan,
): { readonly trials: readonly Trial[]; readonly cells: readonly CellSpecInput[] } {
  const early = [...seeds, ...finalSeeds].find((seed) => seed < FIRST_SEARCH_SEED);
  if (early !== undefined) {
    throw new InputError(
      `The seed ${early} is one that tables use; a search takes seeds from ${FIRST_SEARCH_SEED} on.`,
    );
  }
  const twice = finalSeeds.find((seed) => seeds.includes(seed));
  if (twice !== undefined) {
    throw new InputError(`The seed ${twice} stands among the seeds and among the final seeds.`);
  }
  for (const name of tasks) {
    const task = byName('task', registry.tasks, name);
    if (task.contenders === 'none') throw new InputError(`The task '${name}' takes no model.`);
  }
  const chosen = models
    ? models.map((name) => byName('model', registry.contenders, name))
    : registry.contenders.filter(({ kind }) => kind === 'trained');
  const drawn = chosen.flatMap((contender) => drawTrials(contender, trials, seeds[0]!));
  return { trials: drawn, cells: cellsOf(drawn, tasks, seeds, engine) };
}

/**
 * The best trials of every model and the cells that they need besides: a choice among many by few seeds favours whoever was
 * lucky with them.
 * @param judged all trials, best first within each model
 */
export function planFinals<T extends Trial>(
  judged: readonly T[],
  { tasks, finalists, finalSeeds, engine }: SearchPlan,
): { readonly finalists: readonly T[]; readonly cells: readonly CellSpecInput[] } {
  const models = [...new Set(judged.map(({ model }) => model))];
  const best = models.flatMap((model) =>
    judged.filter((trial) => trial.model === model).slice(0, finalSeeds.length > 0 ? finalists : 0),
  );
  return { finalists: best, cells: cellsOf(best, tasks, finalSeeds, engine) };
}

function cellsOf(
  trials: readonly Trial[],
  tasks: readonly string[],
  seeds: readonly number[],
  engine: string,
): CellSpecInput[] {
  return trials.flatMap(({ model, learningRate, modelOptions }) =>
    tasks.flatMap((task) =>
      seeds.map((seed) => ({
        task,
        taskOptions: SEARCHED_TASKS[task] ?? {},
        model,
        learningRate,
        modelOptions,
        seed,
        engine,
      })),
    ),
  );
}

const trialSchema = z.strictObject({
  model: z.string(),
  learningRate: z.number(),
  modelOptions: z.record(z.string(), z.json()),
  isDefault: z.boolean(),
  values: z.record(z.string(), z.number()),
  score: z.number(),
  isFinalist: z.boolean(),
});

/** The log of a search: `search.json` of its folder. */
export const searchLogSchema = z.strictObject({
  format: z.literal('palimpsest-search'),
  version: z.literal(1),
  tasks: z.record(z.string(), z.record(z.string(), z.json())),
  seeds: z.array(z.int()),
  finalSeeds: z.array(z.int()),
  trials: z.array(trialSchema),
});

/** Everything that was tried, as the text of a file; the same trials give the same bytes. */
export function searchLog(
  { tasks, seeds, finalSeeds }: Pick<SearchPlan, 'tasks' | 'seeds' | 'finalSeeds'>,
  trials: readonly JudgedTrial[],
): string {
  const asked = Object.fromEntries(tasks.map((name) => [name, SEARCHED_TASKS[name] ?? {}]));
  const log = { format: 'palimpsest-search', version: 1, tasks: asked, seeds, finalSeeds, trials };
  return `${JSON.stringify(searchLogSchema.parse(JSON.parse(canonicalJson(log))), undefined, 1)}\n`;
}

/**
 * The defaults and the best trial of every model.
 * @param width most characters of a line. Default: no limit.
 */
export function formatSearch(
  judged: readonly JudgedTrial[],
  tasks: readonly string[],
  width?: number,
): string {
  const models = [...new Set(judged.map(({ model }) => model))];
  const rows = models.flatMap((model) => {
    const own = judged.filter((trial) => trial.model === model);
    const standard = own.find(({ isDefault }) => isDefault);
    return [
      ...(standard && standard !== own[0] ? [row('as it is', standard, tasks)] : []),
      row(`best of ${own.length}`, own[0]!, tasks),
    ];
  });
  return textTable(
    ['model', 'trial', 'score', ...tasks, 'rate', 'options'],
    rows,
    ['left', 'left', 'right', ...tasks.map(() => 'right' as const), 'right', 'left'],
    width,
  );
}

function row(
  title: string,
  { model, score, values, learningRate, modelOptions }: JudgedTrial,
  tasks: readonly string[],
) {
  const measured = tasks.map((task) => (task in values ? formatNumber(values[task]!) : '-'));
  const options = optionWords(modelOptions).join(', ') || '-';
  return [model, title, score.toFixed(3), ...measured, String(learningRate), options];
}

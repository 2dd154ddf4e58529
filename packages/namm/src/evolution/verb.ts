import { createTransformer, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { nodeModule } from '@palimpsest/base';
import type { BaseModel, MechanismVerb, MechanismVerbContext, Tokenizer, VerbExit } from '@palimpsest/lm';
import { loadCorpus } from '@palimpsest/lm';
import { InputError, type NDArray } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type NAMMConfig, nammConfigSchema } from '../config.js';
import { evolutionConfig } from './convert-parameters.js';
import { eventLine } from './event-line.js';
import type { EvolutionEvent } from './evolution-event.js';
import type { EvolutionState } from './evolution-file.js';
import { evolveNamm, loadLatest } from './evolve.js';
import { firstPolicy, withFrozenStatistics } from './first-policy.js';
import { DEFAULT_ROWS, populationModel } from './population/population-model.js';
import { ProcessRunner } from './population/process-runner.js';
import { type EvolutionOptions, evolutionSchema } from './settings.js';
import type { Stage } from './stage.js';
import { parseRecords, recordTask } from './tasks/record-task.js';
import { writtenTask, writtenTaskNames } from './tasks/written-tasks.js';

const { updateInterval, nFft, hopLength, emaCoeff, recencyEmbedDim } = nammConfigSchema.shape;

/** Longer texts are not written for a task. */
const MOST_TOKENS = 2 ** 20;

const taskShape = {
  model: z
    .string()
    .optional()
    .describe('run, checkpoint or folder of a transformer, whose weights stay as they are'),
  text: z
    .string()
    .optional()
    .describe('text that facts are hidden in: a file, a folder, or a built-in corpus'),
  tasks: z
    .array(z.string())
    .min(1)
    .default(['keyValueRecall+duplicates+characterLm'])
    .describe(
      `tasks of every stage, with + between those of one: ${writtenTaskNames.join(', ')}, or a .jsonl file`,
    ),
  stageIters: z.int().min(1).optional().describe('generations of each stage but the last; default: maxIters'),
  promptTokens: z.int().min(16).max(MOST_TOKENS).default(1024).describe('tokens of a prompt'),
  answerTokens: z.int().min(1).max(MOST_TOKENS).default(32).describe('tokens of an answer at most'),
  scoring: z
    .enum(['likelihood', 'answer'])
    .default('likelihood')
    .describe('how likely the right answer is, or what is written'),
};
const policyShape = {
  updateInterval: updateInterval.unwrap().default(512).describe(updateInterval.description!),
  maxTokensPerForward: z
    .int()
    .min(1)
    .default(128)
    .describe('longest piece of a prompt, a divisor of the interval'),
  nFft,
  hopLength,
  emaCoeff,
  recencyEmbedDim,
  parameterisation: z
    .enum(['folded', 'standard'])
    .default('folded')
    .describe('layout of the parameters that are searched'),
  cacheSize: z.int().min(1).optional().describe('most tokens per head; default: no limit'),
};
const runShape = {
  out: z.string().default('evolution').describe('folder for checkpoints and evaluations'),
  load: z.string().optional().describe('folder of an evolution to go on with'),
  evalOnly: z.boolean().default(false).describe('evaluate what there is and stop'),
  workers: z.int().min(1).default(2).describe('processes that judge members; results do not depend on it'),
  threads: z.int().min(1).default(1).describe('threads of the engine in each of them'),
  rows: z.int().min(1).default(DEFAULT_ROWS).describe('texts that are read side by side'),
  warmStart: z
    .int()
    .min(1)
    .optional()
    .describe('experimental: steps of descent that find the first policy, in place of one that keeps all'),
  warmPrice: z
    .number()
    .min(0)
    .optional()
    .describe('nats that a kept token costs in the warm start (default: 0.001)'),
};
/** Defaults of the published program are for weeks; these are for an evening. */
const searchShape = {
  ...evolutionSchema.shape,
  popSize: evolutionSchema.shape.popSize.unwrap().default(16).describe('members of a generation'),
  samplesPerTask: evolutionSchema.shape.samplesPerTask
    .unwrap()
    .default(4)
    .describe('samples of each task in a generation, the same for all members'),
  validationSamples: evolutionSchema.shape.validationSamples
    .unwrap()
    .default(8)
    .describe('samples of each task in an evaluation'),
  maxIters: evolutionSchema.shape.maxIters.unwrap().default(50).describe('generations of a stage'),
};
const verbSchema = z.strictObject({ ...taskShape, ...policyShape, ...runShape, ...searchShape });
type VerbOptions = z.output<typeof verbSchema>;

/** `evolve namm`: a policy for a model's cache. */
export const evolveVerb: MechanismVerb<typeof verbSchema> = {
  path: ['evolve', 'namm'],
  description: 'evolve what the cache of a transformer forgets; goes on where it stopped with --load',
  schema: verbSchema,
  examples: [
    'palimpsest evolve namm --model runs/shakespeare --text tinyshakespeare.txt --out runs/policy',
    'palimpsest evolve namm --model runs/shakespeare --text tinyshakespeare.txt --warm-start 100 --out runs/policy',
    'palimpsest evolve namm --load runs/policy --max-iters 100',
  ],
  run: (options, context) => runEvolution(options, context),
};

async function runEvolution(asked: VerbOptions, context: MechanismVerbContext): Promise<VerbExit> {
  const { output, signal, given, open } = context;
  checkWarmStart(asked);
  const resume = asked.load === undefined ? undefined : await loadLatest(asked.load);
  const options = resume ? { ...asked, ...notedOptions(resume, given) } : asked;
  const base = await open(required(options, 'model'));
  const model = managedModel(base);
  const tokenizer = tokenizerOf(base);
  const fresh = options.warmStart === undefined ? configOf(options) : withFrozenStatistics(configOf(options));
  const config = resume ? keptConfig(resume, given) : fresh;
  const folder = options.load ?? options.out;
  const runner = new ProcessRunner(populationModel(model.transformer, model.params, config, options.rows), {
    workers: options.workers,
    threads: options.threads,
  });
  try {
    const stages = stagesOf(options, tokenizer);
    const { warmStart: steps, warmPrice: price = WARM_PRICE, threads, seed } = options;
    const { tasks } = stages[0]!;
    const note = (line: string) => output.print(line);
    const first =
      steps &&
      (await firstPolicy({ model, config, runner, tasks, steps, price, threads, seed, signal, note }));
    if (signal.aborted) return 130;
    const events = evolveNamm({
      config,
      runner,
      stages,
      settings: searchOptions(options, resume && given),
      ...(first && { start: first.parameters, statistics: first.statistics }),
      folder,
      evalOnly: options.evalOnly,
      layers: model.transformer.options.layers,
      heads: model.transformer.options.keyValueHeads,
      notes: Object.fromEntries(NOTED.map((key) => [key, options[key]])),
      resume,
      signal,
    });
    let last: EvolutionEvent | undefined;
    for await (const event of events) {
      last = event;
      const line = eventLine(event);
      if (line !== undefined) output.print(line);
    }
    const bestFitness = last && 'bestFitness' in last ? last.bestFitness : undefined;
    output.emit({
      folder,
      ended: last?.type,
      generation: last && 'generation' in last ? last.generation : 0,
      bestFitness,
    });
    return last?.type === 'interrupted' ? 130 : 0;
  } finally {
    await runner.dispose();
  }
}

/** Nats that an entry costs in a warm start. */
const WARM_PRICE = 1e-3;

/** @throws InputError for a warm start of what has begun, or options of one that is not asked for. */
function checkWarmStart({ warmStart, warmPrice, load, evalOnly }: VerbOptions): void {
  if (warmStart === undefined) {
    if (warmPrice === undefined) return;
    throw new InputError(
      '--warm-price is the price of a warm start; ask for one with --warm-start, its steps.',
    );
  }
  if (load === undefined && !evalOnly) return;
  throw new InputError(
    `--warm-start finds what a new evolution begins with; leave it out with ${load === undefined ? '--eval-only' : '--load'}.`,
  );
}

/** What an evolution is about besides its settings: noted in its checkpoints, so that it goes on with the same. */
const NOTED = [
  'model',
  'text',
  'tasks',
  'stageIters',
  'promptTokens',
  'answerTokens',
  'scoring',
  'rows',
] as const;
const notesSchema = verbSchema
  .pick({
    ...{ model: true, text: true, tasks: true, stageIters: true },
    ...{ promptTokens: true, answerTokens: true, scoring: true, rows: true },
  })
  .partial();

/** What a resumed evolution was about, but for what is asked for anew. */
function notedOptions({ notes }: EvolutionState, given: ReadonlySet<string>): Partial<VerbOptions> {
  const noted = notesSchema.safeParse(notes);
  // A default in place of what is lost would be another evolution.
  const lost = noted.success && NOTED.find((key) => noted.data[key] !== undefined && !(key in notes));
  if (!noted.success || lost) {
    throw new InputError(
      `The evolution to go on with does not say ${lost ? `its '${lost}'` : 'what it is about'}: it was not started by this command.`,
    );
  }
  return Object.fromEntries(Object.entries(noted.data).filter(([key]) => !given.has(key)));
}

function required(options: VerbOptions, key: 'model' | 'text'): string {
  const value = options[key];
  if (value !== undefined) return value;
  throw new InputError(
    `Give --${key}: a new evolution needs a model to manage and a text to write tasks from.`,
  );
}

/** A checkpoint's transformer with its weights. @throws InputError for another kind of model. */
function managedModel({ model, params, folder }: BaseModel): {
  transformer: Transformer;
  params: TransformerParameters<NDArray>;
} {
  if (model.name !== 'transformer') {
    throw new InputError(
      `A policy manages the cache of a transformer, but '${folder}' holds a model of '${model.name}', whose memory is of another kind.`,
    );
  }
  return {
    transformer: createTransformer(model.config as Parameters<typeof createTransformer>[0]),
    params: params as TransformerParameters<NDArray>,
  };
}

function tokenizerOf({ tokenizer, folder }: BaseModel): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new InputError(`'${folder}' has no tokenizer, so no task can be written for it.`);
}

function configOf(options: VerbOptions): NAMMConfig {
  const { cacheSize, parameterisation } = options;
  const watch = Object.fromEntries(
    (
      ['updateInterval', 'maxTokensPerForward', 'nFft', 'hopLength', 'emaCoeff', 'recencyEmbedDim'] as const
    ).map((key) => [key, options[key]]),
  );
  return evolutionConfig({
    ...watch,
    parameterisation,
    ...(cacheSize !== undefined && { selection: { kind: 'binary', cacheSize } }),
  });
}

/** The configuration of an evolution that goes on. @throws InputError for an option that would make it another one. */
function keptConfig({ policy }: EvolutionState, given: ReadonlySet<string>): NAMMConfig {
  const changed = Object.keys(policyShape).find((key) => given.has(key));
  if (changed === undefined) return policy.config;
  throw new InputError(
    `An evolution goes on with the policy that it was started with; leave '${changed}' away, or start another one.`,
  );
}

/** Settings of the search: all of them, or, going on, those that were given anew. */
function searchOptions(options: VerbOptions, given: ReadonlySet<string> | undefined): EvolutionOptions {
  const keys = Object.keys(searchShape) as (keyof typeof searchShape)[];
  return Object.fromEntries(
    keys
      .filter((key) => options[key] !== undefined && (!given || given.has(key)))
      .map((key) => [key, options[key]]),
  );
}

function stagesOf(options: VerbOptions, tokenizer: Tokenizer): Stage[] {
  const { documents } = loadCorpus(required(options, 'text'));
  const background = documents.join('\n');
  const { tasks, stageIters, promptTokens: length, answerTokens: maxNewTokens, scoring, seed } = options;
  return tasks.map((names, stage) => ({
    tasks: names.split('+').map((name) =>
      name.endsWith('.jsonl')
        ? recordTask(name, parseRecords(textOf(name), name), {
            tokenizer,
            scoring,
            maxNewTokens,
            maxConditioning: length + maxNewTokens,
          })
        : writtenTask(name, { tokenizer, background, length, scoring, maxNewTokens, seed }),
    ),
    ...(stageIters !== undefined && stage < tasks.length - 1 && { generations: stageIters }),
  }));
}

function textOf(path: string): string {
  try {
    return nodeModule('node:fs').readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(
      `The file '${path}' cannot be read: ${error instanceof Error ? error.message : error}.`,
    );
  }
}

import type { Engine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { AnySequenceModel } from '../sequence-model.js';
import type { TrainingOptions } from '../training/training-settings.js';
import { type ModelNeed, trainerOf } from './contender.js';
import { type Draw, GeneratedExamples } from './examples.js';
import { AnswerMeter } from './meter.js';
import { type CellMetric, type Curve, optionsSchema, type TaskOutcomeInput } from './outcome.js';
import { defineTask, type Task, type TaskContext, trainedContestant } from './task.js';
import { thinned } from './thinned.js';

/** Options that every generated task has: how long it is trained, and how much is asked. */
const trainingShape = ({
  steps = 400,
  batch = 32,
  examples = 256,
  stopAt = 0,
}: Partial<Record<'steps' | 'batch' | 'examples' | 'stopAt', number>> = {}) => ({
  steps: z.int().min(1).default(steps).describe('training steps'),
  batch: z.int().min(1).default(batch).describe('sequences per step'),
  examples: z.int().min(1).default(examples).describe('fresh sequences asked per slice'),
  stopAt: z
    .number()
    .min(0)
    .default(stopAt)
    .describe('training ends early once the loss of 20 steps falls below this; 0: never'),
});
type RecallOptions = z.output<z.ZodObject<ReturnType<typeof trainingShape>>>;

/** One way of asking: what stands in the metric's slice, and how examples are drawn. */
export interface Asking {
  readonly slice: Readonly<Record<string, number | string>>;
  /** Tokens of an example. */
  readonly length: number;
  readonly draw: Draw;
}

/** How a generated task is trained and tested under given options. */
export interface RecallPlan {
  readonly vocabSize: number;
  /** Drawn at random in training. */
  readonly training: readonly Asking[];
  /** Asked one after the other; the headline is the mean over those that count. */
  readonly testing: readonly (Asking & { readonly beyondTraining?: boolean })[];
  /** Accuracy of a blind guess. */
  readonly chance: number;
}

/** A model that has learned a task, for whoever measures more of it. */
export interface LearnedModel {
  readonly engine: Engine;
  readonly model: AnySequenceModel;
  /** On the host. */
  readonly params: unknown;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  progress(note: string): void;
}

export interface RecallDefinition<Shape extends z.ZodRawShape> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly shape: Shape;
  /** The text of every id, for a task that is made of characters. */
  readonly texts?: readonly string[];
  /** Replaces defaults of the options that every generated task has. */
  readonly defaults?: Partial<RecallOptions>;
  plan(options: z.output<z.ZodObject<Shape>>): RecallPlan;
  /** Puts something around the contender's model, for tasks that ask in another way than by the next token. */
  wrap?(model: AnySequenceModel, options: z.output<z.ZodObject<Shape>>): AnySequenceModel;
  /** Measures more of the trained model than its answers. */
  measure?(
    learned: LearnedModel,
    options: z.output<z.ZodObject<Shape>>,
  ): Promise<Pick<TaskOutcomeInput, 'metrics' | 'curves' | 'notes'>>;
}

/**
 * A task on generated sequences: a fresh model is trained on examples that are drawn as they are needed, then asked fresh
 * ones slice by slice, through its state. Metric: mean over examples of the share of asked positions that are right.
 */
export function recallTask<Shape extends z.ZodRawShape>(definition: RecallDefinition<Shape>): Task;
export function recallTask(definition: RecallDefinition<ReturnType<typeof trainingShape>>): Task {
  const { name, title, description, shape, defaults, texts } = definition;
  return defineTask({
    name,
    family: 'recall',
    title,
    description,
    options: z.strictObject({ ...shape, ...trainingShape(defaults) }),
    ...(texts && { texts }),
    contenders: 'trained',
    headline: { metric: 'accuracy', unit: '%', higherIsBetter: true },
    chance: (options) => 100 * definition.plan(options).chance,
    beyondTraining: (options) =>
      definition
        .plan(options)
        .testing.filter(({ beyondTraining }) => beyondTraining)
        .map(({ slice }) => slice),
    work(options) {
      const { training, testing } = definition.plan(options);
      const asked = testing.reduce((sum, { length }) => sum + length, 0);
      return { trained: options.steps * options.batch * longest(training), asked: options.examples * asked };
    },
    async run(context, options) {
      const plan = definition.plan(options);
      const contestant = trainedContestant(context);
      const need = needOf(plan);
      const wrapped = (made: AnySequenceModel) => definition.wrap?.(made, options) ?? made;
      const model = wrapped(contestant.create(need));
      const learner = contestant.learner ? wrapped(contestant.learner(need)) : model;
      const trained = await trainOn(name, context, learner, plan, options);
      const { metrics, stateBytes } = await ask(context, model, trained.params, plan, options);
      const { engine, seed, signal } = context;
      const progress = (note: string) => context.progress(0.99, note);
      const learned = { engine, model, params: trained.params, seed, progress, signal };
      const more = await definition.measure?.(learned, options);
      return {
        parameters: trained.parameters,
        stateBytes,
        modelConfig: optionsSchema.parse(model.config),
        metrics: [...metrics, ...(more?.metrics ?? [])],
        curves: [trained.curve, ...(more?.curves ?? [])],
        notes: more?.notes ?? [],
      };
    },
  });
}

const longest = (askings: readonly Asking[]) => Math.max(...askings.map(({ length }) => length));

function needOf({ vocabSize, training, testing }: RecallPlan): ModelNeed {
  const trainLength = longest(training);
  const longestLength = Math.max(trainLength, longest(testing));
  return { vocabSize, trainLength, longestLength };
}

async function trainOn(
  name: string,
  context: TaskContext,
  model: AnySequenceModel,
  { training }: RecallPlan,
  { steps, batch, stopAt }: RecallOptions,
) {
  const { engine, seed, learningRate, signal, progress } = context;
  const time = longest(training);
  const draws = training.map(({ draw }) => draw);
  const source = new GeneratedExamples(draws, { name, batch, time, seed: seed + 1 });
  const settings: TrainingOptions = {
    steps,
    learningRate,
    seed,
    warmupSteps: Math.ceil(steps / 4),
    weightDecay: 0.1,
    telemetry: false,
  };
  const learn = trainerOf(trainedContestant(context));
  const stop = new AbortController();
  const points: [number, number][] = [];
  let [params, parameters]: [unknown, number] = [undefined, 0];
  for await (const event of learn({ engine, model, source, settings, signal: stop.signal })) {
    signal?.throwIfAborted();
    if (event.type === 'start') ({ parameters } = event);
    if (event.type === 'end' || event.type === 'interrupted') ({ params } = event);
    if (event.type !== 'step') continue;
    points.push([event.step, event.loss]);
    progress(
      (0.9 * event.step) / steps,
      `training: step ${event.step} of ${steps}, loss ${event.loss.toFixed(3)}`,
    );
    if (isSolved(points, stopAt)) stop.abort();
  }
  const curve: Curve = {
    name: 'training loss',
    xTitle: 'step',
    yTitle: 'nats per answer',
    points: thinned(points),
  };
  return { params, parameters, curve };
}

/** Whether the mean loss of the last steps is below the bound. */
function isSolved(points: readonly (readonly [number, number])[], stopAt: number): boolean {
  const last = points.slice(-20);
  return last.length === 20 && last.reduce((sum, [, loss]) => sum + loss, 0) / 20 < stopAt;
}

async function ask(
  { engine, seed, signal, progress }: TaskContext,
  model: AnySequenceModel,
  params: unknown,
  { testing }: RecallPlan,
  size: { examples: number; batch: number },
) {
  const meter = new AnswerMeter(engine, model, params, size.batch);
  const asked: (CellMetric & { counts: boolean })[] = [];
  try {
    for (const [index, { slice, draw, beyondTraining = false }] of testing.entries()) {
      progress(0.9 + (0.1 * index) / testing.length, `asking: ${JSON.stringify(slice)}`);
      const accuracy = await meter.measure(draw, {
        examples: size.examples,
        // Fresh sequences: training draws from seed + 1.
        seed: seed + 1_000_003 + index,
        signal,
      });
      asked.push({ ...metric(accuracy), slice: { ...slice }, counts: !beyondTraining });
    }
  } finally {
    await meter.dispose();
  }
  const counted = asked.filter(({ counts }) => counts);
  const value = counted.reduce((sum, entry) => sum + entry.value, 0) / counted.length;
  const standardError =
    Math.sqrt(counted.reduce((sum, entry) => sum + (entry.standardError ?? 0) ** 2, 0)) / counted.length;
  const samples = counted.reduce((sum, entry) => sum + (entry.samples ?? 0), 0);
  const headline = { name: 'accuracy', value, standardError, samples, unit: '%', higherIsBetter: true };
  const bySlice = asked.map(({ counts: _, ...entry }) => ({ ...entry, name: 'accuracy by slice' }));
  return { metrics: [headline, ...bySlice], stateBytes: meter.stateBytes };
}

function metric({ value, standardError, examples }: Awaited<ReturnType<AnswerMeter['measure']>>): CellMetric {
  return {
    name: 'accuracy',
    value: 100 * value,
    standardError: 100 * standardError,
    samples: examples,
    unit: '%',
    slice: {},
    higherIsBetter: true,
  };
}

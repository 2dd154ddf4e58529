import { median } from '@palimpsest/base';
import {
  type AnySequenceModel,
  type CellMetric,
  CharacterTokenizer,
  ContiguousLanes,
  type CountedModel,
  type Curve,
  corpusText,
  defineTask,
  Evaluator,
  encodeCorpus,
  generateStories,
  loadCorpus,
  optionsSchema,
  RandomWindows,
  splitCorpus,
  type TaskContext,
  type TaskOutcomeInput,
  type TextEvaluation,
  type Tokenizer,
  type TrainingOptions,
  thinned,
  trainedContestant,
  trainerOf,
} from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const options = z.strictObject({
  text: z.string().default('stories').describe('`stories` (generated), or path of a text file or folder'),
  characters: z.int().min(1000).default(120_000).describe('characters of generated stories'),
  storySeed: z
    .int()
    .min(0)
    .default(1)
    .describe('seed of the generated stories, the same for every seed of a sweep'),
  validationFraction: z.number().gt(0).lt(1).default(0.1).describe('share at the end of the text held out'),
  steps: z.int().min(1).default(300).describe('training steps'),
  seconds: z
    .number()
    .min(0)
    .default(0)
    .describe('equal-time comparison: as many steps as fit into this wall time, measured; 0: `steps`'),
  batch: z.int().min(1).default(16).describe('windows per step'),
  window: z.int().min(2).default(64).describe('tokens per window'),
  reading: z
    .enum(['windows', 'lanes'])
    .default('windows')
    .describe('windows at random places with a fresh memory, or consecutive ones that carry it'),
  lanes: z.int().min(1).default(8).describe('parts of the held-out text read side by side'),
});
type LanguageOptions = z.output<typeof options>;

interface Texts {
  readonly tokenizer: Tokenizer;
  readonly train: Int32Array;
  readonly heldOut: Int32Array;
}

/** Bits per character of a whole held-out text, streamed through the memory and in windows. */
export const language = defineTask({
  name: 'language',
  family: 'language',
  title: 'Held-out text',
  description:
    'Characters. A model is trained on the first part of a text and reads the whole rest: as one stream whose memory is carried (the headline), and in windows that each begin afresh. Loss by distance from the start says what older text is worth. Counted n-grams (interpolated Witten-Bell) stand in the same table: below the best of them a mechanism has learned nothing that a table does not know.',
  options,
  contenders: 'any',
  headline: { metric: 'bits per character', unit: 'bits', higherIsBetter: false },
  work({ text, characters, validationFraction, steps, batch, window }) {
    const whole = text === 'stories' ? characters : corpusText(loadCorpus(text)).length;
    // The held-out part is read twice: as a stream, and in windows.
    return { trained: steps * batch * window, asked: 2 * validationFraction * whole };
  },
  async run(context, given) {
    const { contestant } = context;
    if (!contestant) throw new InputError('Held-out text needs a model that reads it.');
    const texts = prepare(given);
    if (contestant.kind === 'trained') return learn(context, given, texts);
    return count((ids) => contestant.count(ids, texts.tokenizer.vocabSize), texts);
  },
});

function prepare({ text, characters, storySeed, validationFraction }: LanguageOptions): Texts {
  // Every seed of a sweep reads the same generated text, so that losses can be compared.
  const corpus = text === 'stories' ? generateStories({ characters, seed: storySeed }) : loadCorpus(text);
  const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
  const parts = splitCorpus(corpus, validationFraction);
  return {
    tokenizer,
    train: encodeCorpus(tokenizer, parts.train).ids,
    heldOut: encodeCorpus(tokenizer, parts.validation).ids,
  };
}

/** Counted on the training text, no gradient anywhere. */
function count(counted: (ids: Int32Array) => CountedModel, { train, heldOut }: Texts): TaskOutcomeInput {
  const start = performance.now();
  const model = counted(train);
  const loss = model.loss(heldOut);
  return {
    metrics: [
      bits('bits per character', loss / Math.LN2),
      nats('nats per character', loss),
      { name: 'counting time', value: (performance.now() - start) / 1000, unit: 's', higherIsBetter: false },
    ],
    modelConfig: optionsSchema.parse(model.config),
  };
}

async function learn(context: TaskContext, given: LanguageOptions, texts: Texts): Promise<TaskOutcomeInput> {
  const { engine } = context;
  const { vocabSize } = texts.tokenizer;
  const need = { vocabSize, trainLength: given.window, longestLength: given.window };
  const contestant = trainedContestant(context);
  const model = contestant.create(need);
  const learner = contestant.learner?.(need) ?? model;
  const steps = given.seconds > 0 ? await stepsWithin(context, given, texts, learner) : given.steps;
  const trained = await trainModel(context, { ...given, steps }, texts, learner);
  const read = async (regime: 'streaming' | 'windowed', lanes: number): Promise<TextEvaluation> => {
    const evaluator = new Evaluator(engine, model, {
      chunk: given.window,
      lanes,
      regime,
      tokenizer: texts.tokenizer,
    });
    try {
      return await evaluator.run(trained.params, texts.heldOut);
    } finally {
      await evaluator.dispose();
    }
  };
  context.progress(0.9, 'held-out text as a stream');
  const streaming = await read('streaming', given.lanes);
  context.progress(0.95, 'held-out text in windows');
  const windowed = await read('windowed', 32);
  return {
    parameters: trained.parameters,
    stateBytes: streaming.stateBytes,
    modelConfig: optionsSchema.parse(model.config),
    metrics: [
      bits('bits per character', streaming.bitsPerCharacter),
      bits('bits per character in windows', windowed.bitsPerCharacter),
      nats('nats per character', streaming.loss),
      nats('nats per character in windows', windowed.loss),
      { name: 'accuracy', value: 100 * streaming.accuracy, unit: '%', higherIsBetter: true },
      ...streaming.buckets.map(({ from, loss }) => ({
        ...bits('bits by distance', loss / Math.LN2),
        slice: { from },
      })),
      { name: 'training', value: trained.tokensPerSecond, unit: 'tokens/s', higherIsBetter: true },
      { name: 'training time', value: trained.seconds, unit: 's' },
      { name: 'training steps', value: steps, unit: '' },
    ],
    curves: [trained.curve],
    notes: given.seconds > 0 ? [`${steps} steps fitted into ${given.seconds} s of training.`] : [],
  };
}

const TRIAL_STEPS = 12;

/** How many steps this machine makes in the given time. */
async function stepsWithin(
  context: TaskContext,
  given: LanguageOptions,
  texts: Texts,
  model: AnySequenceModel,
): Promise<number> {
  const { tokensPerSecond } = await trainModel(context, { ...given, steps: TRIAL_STEPS }, texts, model);
  return Math.max(1, Math.floor((given.seconds * tokensPerSecond) / (given.batch * given.window)));
}

async function trainModel(
  context: TaskContext,
  { steps, batch, window, reading }: LanguageOptions,
  { train: ids }: Texts,
  model: AnySequenceModel,
) {
  const { engine, seed, learningRate, signal, progress } = context;
  const train = trainerOf(trainedContestant(context));
  const size = { batch, time: window };
  const source =
    reading === 'lanes' ? new ContiguousLanes(ids, size) : new RandomWindows(ids, { ...size, seed });
  const settings: TrainingOptions = {
    steps,
    learningRate,
    seed,
    warmupSteps: Math.ceil(steps / 20),
    weightDecay: 0.1,
    telemetry: false,
  };
  const points: [number, number][] = [];
  const rates: number[] = [];
  const start = performance.now();
  let [params, parameters]: [unknown, number] = [undefined, 0];
  for await (const event of train({ engine, model, source, settings })) {
    signal?.throwIfAborted();
    if (event.type === 'start') ({ parameters } = event);
    if (event.type === 'end') ({ params } = event);
    if (event.type !== 'step') continue;
    rates.push(event.tokensPerSecond);
    points.push([event.step, event.loss / Math.LN2]);
    progress((0.85 * event.step) / steps, `step ${event.step} of ${steps}, loss ${event.loss.toFixed(3)}`);
  }
  const curve: Curve = {
    name: 'training',
    xTitle: 'step',
    yTitle: 'bits per character',
    points: thinned(points),
  };
  const seconds = (performance.now() - start) / 1000;
  return { params, parameters, curve, seconds, tokensPerSecond: median(rates) };
}

const bits = (name: string, value: number | undefined): CellMetric => ({
  name,
  value: value ?? Number.NaN,
  unit: 'bits',
  slice: {},
  higherIsBetter: false,
});
const nats = (name: string, value: number): CellMetric => ({
  name,
  value,
  unit: 'nats',
  slice: {},
  higherIsBetter: false,
});

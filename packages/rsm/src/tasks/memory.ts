import {
  blankExample,
  type Draw,
  type LearnedModel,
  recallTask,
  type TaskOutcomeInput,
} from '@palimpsest/lm';
import { type NDArray, Rng, runOnce, tf } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { participationRatio } from '../telemetry.js';
import { interventions } from './interventions.js';
import { MemoryStream } from './memory-stream.js';
import { probeMemory } from './probe.js';
import { measureRetention } from './retention.js';

/** Tokens of a fact (entity, value) and of the question (query mark, entity, answer mark). */
const FACT = 2;
const QUESTION = 3;

interface FactShape {
  readonly entities: number;
  readonly values: number;
  readonly fillers: number;
}

/**
 * Draws one fact among filler and the question for it at the end of `length` tokens. Pairs are drawn anew for every text, so
 * that nothing can be learned by heart. Ids: entities, values, fillers, query mark, answer mark.
 * @param within the fact stands in the first so many tokens
 */
export function drawFact({ entities, values, fillers }: FactShape, length: number, within: number): Draw {
  const firstFiller = entities + values;
  const queryMark = firstFiller + fillers;
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    for (let at = 0; at < length; at++) inputs[at] = firstFiller + rng.int(fillers);
    const entity = rng.int(entities);
    const answer = entities + rng.int(values);
    const last = Math.min(within, length - QUESTION) - FACT;
    inputs.set([entity, answer], rng.int(last + 1));
    inputs.set([queryMark, entity, queryMark + 1], length - QUESTION);
    targets[length - 1] = answer;
    return { inputs, targets };
  };
}

const vocabulary = ({ entities, values, fillers }: FactShape) => entities + values + fillers + 2;

const shape = {
  entities: z.int().min(1).default(1).describe('different entities that a fact can be about'),
  values: z.int().min(2).default(8).describe('different values of a fact'),
  fillers: z.int().min(1).default(8).describe('different filler tokens'),
  chunk: z.int().min(5).default(8).describe('tokens between two looks at the memory'),
  trainChunks: z
    .array(z.int().min(2))
    .default([2, 3, 4, 5, 6])
    .describe(
      'lengths of the texts of training, in chunks; the fact is in the first, the question in the last',
    ),
  testChunks: z
    .array(z.int().min(2))
    .default([2, 4, 6, 8, 16, 32])
    .describe('lengths that are asked; those longer than in training do not count for the headline'),
  worthChunks: z.int().min(2).default(6).describe('length at which the memory is held, emptied and swapped'),
  ages: z
    .array(z.int().min(0))
    .default([0, 1, 2, 4, 8])
    .describe('chunks after the fact at which a linear map is asked for it'),
  probeTexts: z.int().min(2).default(1024).describe('texts of the linear map, half of them held out'),
  probeEpochs: z.int().min(1).default(10).describe('passes of its training'),
  retentionTexts: z.int().min(1).default(16).describe('texts through which a disturbance is followed'),
  retentionChunks: z.int().min(1).default(24).describe('their length'),
};
type MemoryOptions = z.output<z.ZodObject<typeof shape>>;
type Metrics = TaskOutcomeInput['metrics'];

/**
 * One fact, asked for some chunks later, and everything that shows what the memory does about it: what it is worth, what a
 * linear map reads out of it, how long it keeps, how many slots hold different things.
 */
export const memory = recallTask({
  name: 'memory',
  title: 'What a memory keeps',
  description:
    'One fact in the first chunk, the question in the last: accuracy by length; the same with the memory held, emptied and swapped; what a linear map reads out of it by age; how long half of a disturbance lasts; how many slots differ. For models whose state is a matrix of slots.',
  shape,
  defaults: { steps: 1000 },
  plan({ chunk, trainChunks, testChunks, ...facts }) {
    const asking = (within: number) => (chunks: number) => ({
      slice: { chunks },
      length: chunks * chunk,
      draw: drawFact(facts, chunks * chunk, within),
    });
    return {
      vocabSize: vocabulary(facts),
      training: trainChunks.map(asking(chunk)),
      testing: testChunks.map((chunks) => ({
        ...asking(FACT)(chunks),
        beyondTraining: chunks > Math.max(...trainChunks),
      })),
      chance: 1 / facts.values,
    };
  },
  async measure(learned, options) {
    const stream = new MemoryStream(learned.engine, learned.model, learned.params);
    try {
      const worth = await memoryWorth(learned, stream, options);
      const probe = await probeByAge(learned, stream, options);
      const kept = await retention(learned, stream, options);
      return { metrics: [...worth, ...probe, ...kept.metrics], curves: kept.curves };
    } finally {
      await stream.dispose();
    }
  },
});

const percent = (value: number) => ({ value: 100 * value, unit: '%', higherIsBetter: true });

/** Texts of some chunks that tell their fact at once, with the places of their answers among the values. */
function factTexts(options: MemoryOptions, texts: number, chunks: number, seed: number) {
  const rng = Rng.fromSeed(seed);
  const draw = drawFact(options, chunks * options.chunk, FACT);
  const drawn = Array.from({ length: texts }, () => draw(rng));
  return {
    tokens: drawn.map(({ inputs }) => inputs),
    answers: Int32Array.from(drawn, ({ targets }) => targets.at(-1)! - options.entities),
  };
}

/** The same questions with the memory as it is, held, emptied, and swapped. */
async function memoryWorth(
  { seed, progress, signal }: LearnedModel,
  stream: MemoryStream,
  options: MemoryOptions,
): Promise<Metrics> {
  const { worthChunks, chunk, entities, values } = options;
  const samples = 256;
  const { tokens, answers } = factTexts(options, samples, worthChunks, seed + 99);
  const metrics: Metrics = [];
  for (const [name, intervene] of Object.entries(interventions)) {
    signal?.throwIfAborted();
    progress(`what the memory is worth: ${name}`);
    const logits = await stream.readTexts(tokens, chunk, intervene);
    const width = logits.length / samples;
    const hits = answers.filter((answer, text) => {
      const scores = logits.subarray(text * width + entities, text * width + entities + values);
      return scores.indexOf(Math.max(...scores)) === answer;
    }).length;
    metrics.push({
      name: 'accuracy with the memory',
      ...percent(hits / samples),
      samples,
      slice: { memory: name },
    });
  }
  return metrics;
}

/** What a linear map reads out of the memory, by the age of the fact. */
async function probeByAge(
  { engine, seed, progress, signal }: LearnedModel,
  stream: MemoryStream,
  options: MemoryOptions,
): Promise<Metrics> {
  const { ages, chunk, probeTexts, probeEpochs, values } = options;
  const oldest = Math.max(...ages);
  const { tokens, answers } = factTexts(options, probeTexts, oldest + 2, seed);
  let state = await stream.initState(probeTexts);
  const metrics: Metrics = [];
  for (let age = 0; age <= oldest; age++) {
    signal?.throwIfAborted();
    progress(`what is left of a fact after ${age} chunks`);
    ({ state } = await stream.read(tokens, age * chunk, (age + 1) * chunk, state));
    if (!ages.includes(age)) continue;
    const probe = { classes: values, epochs: probeEpochs, learningRate: 1e-3, seed };
    const { together, slots } = await probeMemory(engine, state.memory, answers, probe);
    const common = { name: 'read by a linear map', samples: Math.ceil(probeTexts / 2) };
    metrics.push(
      { ...common, ...percent(together), slice: { age, slots: 'all' } },
      { ...common, ...percent(Math.max(...slots)), slice: { age, slots: 'best' } },
    );
  }
  return metrics;
}

/** How long the memory keeps what it holds, and in how many directions. */
async function retention(
  { engine, seed, progress, signal }: LearnedModel,
  stream: MemoryStream,
  options: MemoryOptions,
): Promise<Required<Pick<TaskOutcomeInput, 'metrics' | 'curves'>>> {
  signal?.throwIfAborted();
  progress('how long the memory keeps');
  const { retentionTexts, retentionChunks, chunk } = options;
  const { tokens } = factTexts(options, retentionTexts, retentionChunks, seed + 31);
  const kept = await measureRetention(stream, tokens, { chunk, seed });
  const ranks: number[] = [];
  for (const slots of kept.memories) {
    const rank = await runOnce(engine, (x: tf.Tensor) => tf.mean(participationRatio(x)), slots as NDArray);
    ranks.push(Number(rank.data[0]));
  }
  // A half-life beyond the texts is told as their length: at least so long.
  const lives = (value: number) => Math.min(value, retentionChunks);
  const { low, median, high } = kept.channelHalfLives;
  const quantiles = Object.entries({ low, median, high, whole: kept.halfLife });
  const curve = (name: string, yTitle: string, values: readonly number[], first = 0) => ({
    name,
    xTitle: 'chunks',
    yTitle,
    points: values.map((value, index): [number, number] => [first + index, value]),
  });
  return {
    metrics: [
      ...quantiles.map(([part, value]) => ({
        name: 'half-life',
        value: lives(value),
        unit: 'chunks',
        higherIsBetter: true,
        slice: { part },
      })),
      ...kept.slotHalfLives.map((value, slot) => ({
        name: 'half-life',
        value: lives(value),
        unit: 'chunks',
        higherIsBetter: true,
        slice: { part: 'slot', slot },
      })),
      { name: 'effective rank', value: ranks.at(-1)!, unit: 'slots', higherIsBetter: true },
    ],
    curves: [
      curve('rest of a disturbance', 'share', kept.ratios),
      curve('cosine to the chunk before', 'cosine', kept.cosines, 1),
      curve('effective rank', 'slots', ranks),
    ],
  };
}

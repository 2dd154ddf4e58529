import {
  defineArchitecture,
  defineContender,
  type Inspection,
  type InspectRequest,
  type Mechanism,
  stepsOfPasses,
} from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { resolveConfig, rsmConfigSchema, savedOptions } from './config.js';
import { inspectText } from './inspect-text.js';
import { inspectionOf } from './inspection.js';
import { type PresetName, rsmPresets, SHAKESPEARE_TOKENS_PER_STEP } from './presets.js';
import { createRsmModel } from './sequence-model.js';
import { chain } from './tasks/chain.js';
import { leak } from './tasks/leak.js';
import { memory } from './tasks/memory.js';
import { needle } from './tasks/needle.js';

const presetNames = Object.keys(rsmPresets);

/** A step takes 0.06 s on two cores. */
const MOST_STEPS = 4500;
/** Passes over a short text, so that it is not learned by heart: a bound, not a tuned value. */
const MOST_PASSES = 12;

const architecture = defineArchitecture({
  name: 'rsm',
  description: 'a rolling state memory transformer: chunks of text linked by a small matrix of slots',
  options: rsmConfigSchema.omit({ vocabSize: true, preset: true }),
  presets: rsmPresets,
  usual: (characters) => ({
    preset: 'shakespeare',
    recipe: {
      steps: stepsOfPasses(characters, MOST_PASSES, SHAKESPEARE_TOKENS_PER_STEP, MOST_STEPS),
      validateEvery: 500,
    },
  }),
  parameterSets: {
    memory: {
      match: /^(memoryInit|slotIdentity)$|\.memory(Read|Write)\./,
      description: 'what reads and writes the slots, and their first values',
    },
  },
  create(vocabSize, options, preset = presetNames[0]!) {
    const chosen = Object.hasOwn(rsmPresets, preset) ? rsmPresets[preset] : undefined;
    if (!chosen) {
      throw new InputError(`RSM has no preset '${preset}'; the presets are ${presetNames.join(', ')}.`);
    }
    return createRsmModel({ ...chosen.options, ...options, vocabSize });
  },
  restore: (config) => createRsmModel(savedOptions(config)),
});

const sizes = z.strictObject({
  width: z.int().min(8).default(64).describe('width of the residual stream'),
  layers: z.int().min(1).default(2).describe('blocks'),
  heads: z.int().min(1).default(4).describe('heads of every block'),
  slots: z.int().min(1).default(8).describe('memory slots of every block'),
  chunk: z.int().min(2).default(8).describe('tokens per chunk'),
  hidden: z.int().min(1).optional().describe('hidden width of the MLP; default: four widths'),
});

const causalOptions = sizes.extend({
  positions: z
    .enum(['sinusoidal', 'rotary'])
    .default('rotary')
    .describe('sines added to the tokens of a chunk, or rotation of queries and keys'),
  start: z
    .enum(['small', 'quiet'])
    .default('quiet')
    .describe(
      'a small embedding and a random read of the memory, or a whole one and a read that starts at zero',
    ),
});

const shapeOf = ({ width, layers, heads, slots, chunk, hidden }: z.output<typeof sizes>) => ({
  hiddenSize: width,
  numLayers: layers,
  numHeads: heads,
  numMemorySlots: slots,
  windowSize: chunk,
  mlpWidth: hidden,
  dropout: 0,
});

/** A memory that is read before the blocks say anything of their own, under tokens that stand out. */
const quietStart = { readInit: 'zero', embeddingInitStd: 1, outputGainInit: 0.125 } as const;

/** As many parameters as the other mechanisms of comparisons. */
const parameterMatched = { width: 56, hidden: 160 };

const facts = { mechanism: 'rsm', kind: 'trained' } as const;

/** A causal wiring at the size that a cell asks for. */
const contender = (name: string, title: string, preset: PresetName, description: string) =>
  defineContender({
    ...facts,
    name,
    title,
    description,
    options: causalOptions,
    learningRate: 4e-3,
    parameterMatched,
    search: { positions: ['sinusoidal', 'rotary'], start: ['small', 'quiet'], chunk: [8, 16, 32] },
    create: ({ vocabSize }, { positions, start, ...size }) =>
      createRsmModel({
        ...shapeOf(size),
        ...(start === 'quiet' ? quietStart : {}),
        preset,
        vocabSize,
        positions,
        weightInitStd: 1 / Math.sqrt(size.width),
      }),
  });

const published = defineContender({
  ...facts,
  name: 'rsm-parity',
  title: 'RSM as published',
  description: 'The published wiring without its sync: one memory that leaks the future of a chunk.',
  options: sizes,
  learningRate: 2e-3,
  create: ({ vocabSize }, size) =>
    createRsmModel({ ...shapeOf(size), preset: 'parity', vocabSize, useGlobalSync: false }),
});

/** @throws InputError for a model of another architecture. */
async function inspect({ engine, checkpoint, text, readTokens }: InspectRequest): Promise<Inspection> {
  const { model, params, tokenizer, folder } = checkpoint;
  if (model.name !== 'rsm') {
    throw new InputError(`'${folder}' holds a model '${model.name}', whose memory is not one of slots.`);
  }
  if (!tokenizer) {
    throw new InputError(
      `'${folder}' has no tokenizer, so that no text can be read; train it again with one.`,
    );
  }
  const config = resolveConfig(savedOptions(model.config));
  const inspected = await inspectText(engine, config, params, Int32Array.from(tokenizer.encode(text)));
  return inspectionOf(config, inspected, tokenizer, readTokens);
}

/** The card of RSM, the rolling state memory transformer. */
export const mechanism: Mechanism = {
  name: 'rsm',
  title: 'RSM',
  description: 'Rolling state memory: a causal transformer per chunk, and slots that chunks are written to.',
  memory: 'fixed',
  architectures: [architecture],
  contenders: [
    contender(
      'rsm',
      'RSM',
      'parallel',
      'Rolling state memory: a causal transformer per chunk, and slots that chunks are written to.',
    ),
    contender(
      'rsm-causal',
      'RSM, written after reading',
      'causal',
      'The wiring whose writes see what the block read, so that chunks follow each other.',
    ),
    published,
  ],
  tasks: [memory, chain, needle, leak],
  golden: async () => (await import('./golden/index.js')).goldenHandlers,
  inspect,
};

import { defineArchitecture, defineContender, type Mechanism, stepsOfPasses } from '@palimpsest/lm';
import { z } from 'zod';
import type { OmOptions } from './config.js';
import { inspectOm } from './inspection.js';
import {
  flagSchema,
  type OmFlags,
  optionsFromFlags,
  presets,
  SHAKESPEARE_TOKENS_PER_STEP,
} from './presets.js';
import { finetuneVerb, preprocessVerb, pretrainVerb } from './pretraining/verbs.js';
import { createOmModel } from './sequence-model.js';

/** A step takes 0.17 s on two cores. */
const MOST_STEPS = 1700;
const MOST_PASSES = 12;

const architecture = defineArchitecture({
  name: 'om-arc',
  description: 'attentive recurrent cells: segments linked by a few state vectors per layer',
  options: flagSchema,
  presets: Object.fromEntries(
    Object.entries(presets).map(([name, { description, recipe }]) => [name, { description, recipe }]),
  ),
  usual: (characters) => ({
    preset: 'shakespeare',
    recipe: {
      steps: stepsOfPasses(characters, MOST_PASSES, SHAKESPEARE_TOKENS_PER_STEP, MOST_STEPS),
      validateEvery: 200,
    },
  }),
  parameterSets: {
    states: {
      match: /(^|\.)(initState|stateNorm|stateGate)(\.|$)/,
      description: 'first states and their update',
    },
    ngrams: { match: /^(ngrams|convs)\./, description: 'functions of the last few embeddings' },
  },
  create: (vocabSize, options, preset) =>
    createOmModel(optionsFromFlags(vocabSize, options as OmFlags, preset)),
  restore: (config) => createOmModel(config as unknown as OmOptions),
});

const contender = defineContender({
  kind: 'trained',
  name: 'om-arc',
  title: 'Om',
  mechanism: 'om-arc',
  description: 'attentive recurrent cells with a gated state per layer',
  learningRate: 3e-3,
  parameterMatched: { width: 56, keyWidth: 16 },
  search: { passes: [1, 2, 3], segmentLen: [16, 32, 64], stateGateBias: [2, 4, 6] },
  options: z.strictObject({
    width: z.int().min(8).default(64).describe('model width'),
    layers: z.int().min(1).default(2).describe('layers'),
    heads: z.int().min(1).default(4).describe('attention heads'),
    keyWidth: z
      .int()
      .min(2)
      .multipleOf(2)
      .default(32)
      .describe('widths of keys and values of the first pass; later passes have half'),
    hidden: z.int().min(1).optional().describe('hidden width of the MLP; default: two widths'),
    passes: z.int().min(1).max(3).default(2).describe('passes of the memory'),
    segmentLen: z.int().min(1).default(32).describe('tokens of a segment'),
    stateLen: z.int().min(1).default(16).describe('state vectors of a layer'),
    stateUpdate: z
      .enum(['replace', 'residual', 'gated'])
      .default('gated')
      .describe('what a segment leaves: the new state, the old one plus it, or a gated mixture'),
    stateGateBias: z
      .number()
      .default(6)
      .describe(
        'fixed bias of the gate; its sigmoid is the share of a state that a segment keeps at the start',
      ),
  }),
  create: (
    { vocabSize },
    { width, layers, heads, keyWidth, hidden, passes, segmentLen, stateLen, ...given },
  ) => {
    const widths = [keyWidth, keyWidth / 2, keyWidth / 2].slice(0, passes);
    return createOmModel({
      vocabSize,
      numLayers: layers,
      dimInput: width,
      dimHidden: hidden ?? 2 * width,
      dimsKey: widths,
      dimsValue: widths,
      numHeads: heads,
      segmentLen,
      stateLen,
      ...given,
      initNgrams: [2, 3],
    });
  },
});

/** Om, the attentive recurrent cell. */
export const mechanism: Mechanism = {
  name: 'om-arc',
  title: 'Om',
  description:
    'Segments of text linked by a few state vectors per layer, read and written by attention in several passes.',
  memory: 'fixed',
  architectures: [architecture],
  contenders: [contender],
  golden: async () => (await import('./golden/index.js')).goldenHandlers,
  inspect: inspectOm,
  verbs: [preprocessVerb, pretrainVerb, finetuneVerb],
};

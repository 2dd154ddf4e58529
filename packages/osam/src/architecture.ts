import { defineArchitecture, stepsOfPasses } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type OsamOptions, osamConfigSchema } from './config.js';
import { createOsamModel } from './model.js';
import { presets } from './presets.js';

const presetNames = ['improved', 'reference', 'text'] as const;

const textTraining = { batchSize: 32, seqLen: 64, weightDecay: 0.1, warmupSteps: 100 } as const;
const TOKENS_PER_STEP = textTraining.batchSize * textTraining.seqLen;
/** A step takes 0.19 s on two cores. */
const MOST_STEPS = 1400;
/** Passes over a short text: after 12 over 180,000 characters the last tenth was read worse than after 8; 6 end near the best. */
const MOST_PASSES = 6;

/** One-Shot Algebraic Map. */
export const osam = defineArchitecture({
  name: 'osam',
  description: 'One-Shot Algebraic Map: the whole text in two sums of fixed size',
  options: osamConfigSchema.omit({ vocabSize: true }),
  presets: {
    improved: { description: 'the improved block, of 64 channels' },
    reference: {
      description: 'the arithmetic and the training of the published program',
      recipe: { schedule: 'constant', decayed: 'all', sampleTokens: 16, validationFraction: 0 },
    },
    text: {
      description: 'a stack for text: convolutions, heads that forget, MLPs; the usual one',
      recipe: { ...textTraining, steps: MOST_STEPS, validateEvery: 200 },
    },
  },
  usual: (characters) => ({
    preset: 'text',
    recipe: { steps: stepsOfPasses(characters, MOST_PASSES, TOKENS_PER_STEP, MOST_STEPS) },
  }),
  aliases: {
    dModel: ['d'],
    sketchDim: ['m'],
    readoutHidden: ['hidden'],
    enableValuePath: ['no-valpath', 'no-value-path'],
    kUpdate: ['kupdate'],
  },
  speakingOptions: ['topPRule'],
  inertFlags: {
    amp: z
      .enum(['none', 'bf16', 'fp16'])
      .default('none')
      .meta({ description: 'accepted, without effect', inert: 'all arithmetic is float32' }),
    fftMaxPlans: z
      .int()
      .min(0)
      .default(4)
      .meta({
        description: 'accepted, without effect',
        aliases: ['cufft-max-plans'],
        inert: 'there are no CUDA FFT plans',
      }),
    warmupPlans: z
      .boolean()
      .default(true)
      .meta({ description: 'accepted, without effect', inert: 'there are no CUDA FFT plans' }),
  },
  parameterSets: {
    phase: {
      match: /\.(thetaQuery|thetaKey|omega)$/,
      description: 'the phase parameters',
      flag: 'freezePhase',
    },
  },
  create(vocabSize, options, preset = presetNames[0]) {
    const configure = presets[preset as (typeof presetNames)[number]];
    if (!configure) {
      throw new InputError(`OSAM has no preset '${preset}'; the presets are ${presetNames.join(', ')}.`);
    }
    return createOsamModel(configure({ ...options, vocabSize }));
  },
  restore: (config) => createOsamModel(config as OsamOptions),
});

import { metricsFormats } from '@palimpsest/harness';
import { type Architecture, runDataSchema, type TrainingOptions, trainingSchema } from '@palimpsest/lm';
import { z } from 'zod';
import type { Aliases } from './fields.js';

/** How a model is trained: the settings of `@palimpsest/lm`, with the reference program's defaults where it has one. */
export const trainingOptions = {
  ...trainingSchema.omit({ samplePrompt: true }).shape,
  steps: z.int().min(1).default(600).describe('optimiser steps in all'),
  weightDecay: z.number().min(0).default(0.01).describe('decoupled weight decay'),
  clip: z.number().default(1).describe('largest norm of all gradients together; 0 or less leaves them'),
  seed: z.int().min(0).default(1337).describe('seed of every random choice'),
  sampleEvery: z.int().min(0).default(50).describe('steps between samples; 0: none'),
  checkpointEvery: z.int().min(0).default(100).describe('steps between checkpoints; 0: only at the end'),
};

/** What is read, and where the run goes. */
export const runOptions = {
  dataset: z
    .enum(['default', 'needle', 'stories'])
    .default('default')
    .meta({ description: 'built-in text to train on' }),
  textPath: z
    .string()
    .optional()
    .meta({ description: 'UTF-8 text file, or folder of them, to train on instead', value: 'path' }),
  ...runDataSchema.shape,
  out: z
    .string()
    .optional()
    .meta({ description: 'run folder (default: runs/<model>-<time>)', value: 'folder', aliases: ['save'] }),
  load: z
    .string()
    .optional()
    .meta({ description: 'run folder to go on with, or model to fine-tune', value: 'folder' }),
  train: z.boolean().default(true).meta({ description: 'train; without it only generate, from --load' }),
  interactive: z
    .boolean()
    .default(false)
    .meta({ description: 'with --load --no-train: read prompts from the keyboard' }),
  metrics: z.array(z.enum(metricsFormats)).optional().meta({
    description: 'forms of the metrics to write too, for other programs: csv, tensorboard',
  }),
  open: z.boolean().default(false).meta({
    description: 'show the run on a live page in the browser',
  }),
  minutes: z
    .number()
    .gt(0)
    .optional()
    .meta({ description: 'as many steps as fit into this time, measured here' }),
  prompt: z
    .string()
    .default('hello ')
    .meta({ description: 'start of the samples', value: 'text', aliases: ['sample-prompt'] }),
};

/** Spellings of the reference program. */
export const trainingAliases: Aliases = {
  learningRate: ['lr'],
  weightDecay: ['wd'],
  clip: ['grad-clip'],
  batchSize: ['batch'],
  seqLen: ['seq'],
  sampleEvery: ['log-interval'],
};

const settingKeys = Object.keys(trainingSchema.shape).filter((key) => key !== 'samplePrompt');

/**
 * The settings of a run from a verb's options.
 * @param given only these keys, so that a resumed run keeps its other settings; default: all.
 */
export function settingsOf(
  options: Readonly<Record<string, unknown>>,
  given?: ReadonlySet<string>,
): TrainingOptions {
  const chosen = settingKeys.filter((key) => given === undefined || given.has(key));
  const settings = Object.fromEntries(chosen.map((key) => [key, options[key]])) as TrainingOptions;
  const isAsked = given === undefined || given.has('prompt');
  return {
    ...settings,
    ...(settings.clip === undefined ? {} : { clip: Math.max(0, settings.clip) }),
    ...(isAsked ? { samplePrompt: options.prompt as string } : {}),
  };
}

/** The sets of parameters whose switches are on. */
export function frozenSets(
  { parameterSets = {} }: Architecture,
  options: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(parameterSets).flatMap(([set, { flag }]) =>
    flag !== undefined && options[flag] === true ? [set] : [],
  );
}

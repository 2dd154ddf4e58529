import { constantRate, InputError, type Schedule, warmupCosine } from '@palimpsest/tensor-core';
import { z } from 'zod';

const count = z.int().min(0);
const beta = z.number().min(0).lt(1);

/** Settings of a training run, with their defaults and meanings. */
export const trainingSchema = z.strictObject({
  steps: z.int().min(1).default(1000).describe('optimiser steps in all'),
  learningRate: z.number().min(0).default(3e-3).describe('highest learning rate'),
  schedule: z.enum(['cosine', 'constant']).default('cosine').describe('learning rate over the steps'),
  warmupSteps: count.default(0).describe('steps of linear rise before the schedule'),
  minimumRate: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('where the cosine ends, as a share of the highest rate'),
  optimizer: z
    .enum(['adamw', 'sgd', 'schedule-free-adamw', 'schedule-free-radam'])
    .default('adamw')
    .describe(
      'sgd: plain descent, without moments; schedule-free: evaluates an average of the steps instead of lowering the rate; take a constant schedule',
    ),
  betas: z.tuple([beta, beta]).default([0.9, 0.95]).describe('decay of the running moments'),
  epsilon: z.number().positive().default(1e-8).describe('added to the root of the second moment'),
  weightDecay: z.number().min(0).default(0.1).describe('decoupled weight decay'),
  ema: beta
    .default(0)
    .describe(
      'decay of a running mean of the weights, which is validated, sampled and saved in their place; 0: none',
    ),
  decayed: z
    .enum(['matrices', 'all'])
    .default('matrices')
    .describe('what decays: matrices only, or scalars, biases, gains and embeddings too'),
  clip: z.number().min(0).default(1).describe('largest norm of all gradients together; 0 leaves them'),
  labelSmoothing: z.number().min(0).lt(1).default(0).describe('share of the target spread over all tokens'),
  accumulate: z.int().min(1).default(1).describe('batches whose gradients are averaged in one step'),
  seed: z.int().default(0).describe('seed of parameters and dropout'),
  telemetry: z.boolean().default(true).describe('report the values that the model watches'),
  validateEvery: count.default(0).describe('steps between validations; 0: only at the end'),
  validationLanes: z.int().min(1).default(8).describe('parts of the validation text read side by side'),
  validationChunk: count.default(0).describe('tokens per call in validation; 0: as in training'),
  validationRegime: z
    .enum(['auto', 'streaming', 'windowed'])
    .default('auto')
    .describe('auto: streaming when training carries the memory, else windowed'),
  sampleEvery: count.default(0).describe('steps between samples; 0: none'),
  samplePrompt: z.string().default('').describe('prompt of the samples'),
  sampleTokens: z.int().min(1).default(64).describe('tokens per sample'),
  sampleTemperature: z.number().min(0).default(0).describe('0 is greedy'),
  checkpointEvery: count
    .default(0)
    .describe('steps between checkpoints; 0: by time, at the beginning and at the end only'),
  checkpointSeconds: z.number().min(0).default(60).describe('most seconds without a checkpoint; 0: no limit'),
  keepBest: z.boolean().default(true).describe('keep the checkpoint with the lowest validation loss too'),
});

export type TrainingSettings = z.output<typeof trainingSchema>;
export type TrainingOptions = z.input<typeof trainingSchema>;

/** Fills defaults in. @throws InputError naming the setting that does not fit. */
export function parseTraining(options: TrainingOptions = {}): TrainingSettings {
  const parsed = trainingSchema.safeParse(options);
  if (parsed.success) return withOneAverage(parsed.data);
  const [issue] = parsed.error.issues;
  throw new InputError(
    `Training setting '${issue?.path.join('.') || 'settings'}' does not fit: ${issue?.message}.`,
  );
}

/** @throws InputError for two averages of the weights. */
function withOneAverage(settings: TrainingSettings): TrainingSettings {
  const { ema, optimizer } = settings;
  if (ema === 0 || !optimizer.startsWith('schedule-free')) return settings;
  throw new InputError(
    `Training setting 'ema' does not fit: '${optimizer}' evaluates an average of the steps by itself; leave ${ema} away, or take 'adamw'.`,
  );
}

/** The learning rate of each step. */
export function scheduleOf(settings: TrainingSettings): Schedule {
  const { learningRate, warmupSteps, steps, minimumRate } = settings;
  if (settings.schedule === 'cosine') {
    return warmupCosine({
      peak: learningRate,
      warmupSteps: Math.min(warmupSteps, steps),
      totalSteps: steps,
      floor: minimumRate * learningRate,
    });
  }
  const constant = constantRate(learningRate);
  return (step) => (step < warmupSteps ? (learningRate * (step + 1)) / warmupSteps : constant(step));
}

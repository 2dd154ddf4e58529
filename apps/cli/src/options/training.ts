import { z } from 'zod';

/** How a model is trained, on what, and where the run goes. Spellings of the reference program are aliases. */
export const trainingOptions = {
  steps: z.number().int().min(1).default(600).meta({ description: 'optimiser steps', value: 'count' }),
  batchSize: z
    .number()
    .int()
    .min(1)
    .default(32)
    .meta({ description: 'windows of text per step', aliases: ['batch'], value: 'count' }),
  seqLen: z
    .number()
    .int()
    .min(1)
    .default(64)
    .meta({ description: 'tokens per window', aliases: ['seq'], value: 'count' }),
  learningRate: z
    .number()
    .gt(0)
    .default(3e-3)
    .meta({ description: 'step size of AdamW', aliases: ['lr'] }),
  weightDecay: z
    .number()
    .min(0)
    .default(0.01)
    .meta({ description: 'decoupled weight decay', aliases: ['wd'] }),
  gradClip: z
    .number()
    .default(1)
    .meta({ description: 'largest global gradient norm; 0 or less: no clipping', aliases: ['clip'] }),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .meta({ description: 'share of the target spread over the vocabulary' }),
  corrupt: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta({ description: 'share of input characters replaced by random ones' }),
  freezePhase: z
    .boolean()
    .default(false)
    .meta({ description: 'leave the three phase parameters as they are' }),
  logInterval: z
    .number()
    .int()
    .min(1)
    .default(50)
    .meta({ description: 'steps between samples and log lines', value: 'count' }),
  dataset: z
    .enum(['default', 'needle', 'shakespeare'])
    .default('default')
    .meta({ description: 'built-in text to train on' }),
  textPath: z.string().optional().meta({ description: 'UTF-8 text file to train on instead', value: 'file' }),
  out: z
    .string()
    .optional()
    .meta({ description: 'run folder (default: runs/<model>-<date>)', value: 'folder' }),
  save: z.string().optional().meta({ description: 'also write the final checkpoint here', value: 'path' }),
  load: z.string().optional().meta({ description: 'checkpoint to go on from', value: 'path' }),
  train: z.boolean().default(true).meta({ description: 'with --load: only generate, do not train' }),
  interactive: z
    .boolean()
    .default(false)
    .meta({ description: 'with --load --no-train: read prompts from the keyboard' }),
  prompt: z.string().optional().meta({ description: 'start of the samples', value: 'text' }),
  amp: z
    .enum(['none', 'bf16', 'fp16'])
    .default('none')
    .meta({ description: 'accepted for compatibility', inert: 'all arithmetic is float32' }),
  fftMaxPlans: z
    .number()
    .int()
    .min(0)
    .default(4)
    .meta({
      description: 'accepted for compatibility',
      aliases: ['cufft-max-plans'],
      inert: 'no CUDA FFT plans are made',
      value: 'count',
    }),
  warmupPlans: z
    .boolean()
    .default(true)
    .meta({ description: 'accepted for compatibility', inert: 'no CUDA FFT plans are made' }),
};

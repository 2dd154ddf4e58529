import { InputError, Rng, type RngState } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { LoadedCheckpoint } from '../checkpoints/checkpoint.js';
import type { JsonObject } from '../sequence-model.js';
import { parseTraining, type TrainingOptions, type TrainingSettings } from './training-settings.js';

/** Where a run stands, apart from its arrays. */
export interface TrainingProgress {
  /** Steps done. */
  step: number;
  /** Tokens learned from. */
  tokens: number;
  bestLoss: number | undefined;
  /** Step of the latest validation. */
  validatedAt: number;
  /** Random numbers of dropout. */
  readonly rng: Rng;
}

const schema = z.object({
  settings: z.record(z.string(), z.unknown()),
  step: z.number(),
  tokens: z.number(),
  bestLoss: z.number().nullable(),
  validatedAt: z.number(),
  rng: z.array(z.number()),
  cursor: z.record(z.string(), z.unknown()),
});

/** Progress as stored in a checkpoint's training.json. */
export function encodeProgress(
  progress: TrainingProgress,
  settings: TrainingSettings,
  cursor: JsonObject,
): JsonObject {
  return {
    settings: settings as unknown as JsonObject,
    step: progress.step,
    tokens: progress.tokens,
    bestLoss: progress.bestLoss ?? null,
    validatedAt: progress.validatedAt,
    rng: [...progress.rng.state()],
    cursor,
  };
}

export interface ResumedProgress {
  readonly progress: TrainingProgress;
  readonly settings: TrainingSettings;
  readonly cursor: JsonObject;
}

/**
 * Progress from a checkpoint. Its settings hold unless the caller gives others.
 * @throws InputError when the checkpoint was saved without a training run.
 */
export function resumeProgress(
  checkpoint: Pick<LoadedCheckpoint, 'folder' | 'training'>,
  overrides: TrainingOptions = {},
): ResumedProgress {
  const parsed = schema.safeParse(checkpoint.training?.progress);
  if (!parsed.success) {
    throw new InputError(
      `The checkpoint '${checkpoint.folder}' cannot be resumed: it holds no state of a training run; start a new one from its parameters.`,
    );
  }
  const { settings, step, tokens, bestLoss, validatedAt, rng, cursor } = parsed.data;
  return {
    progress: {
      step,
      tokens,
      bestLoss: bestLoss ?? undefined,
      validatedAt,
      rng: Rng.fromState(rng as RngState),
    },
    settings: parseTraining({ ...(settings as TrainingOptions), ...overrides }),
    cursor: cursor as JsonObject,
  };
}

/** Progress before the first step. */
export function freshProgress(settings: TrainingSettings): TrainingProgress {
  return {
    step: 0,
    tokens: 0,
    bestLoss: undefined,
    validatedAt: 0,
    rng: Rng.fromSeed(settings.seed).fork('dropout'),
  };
}

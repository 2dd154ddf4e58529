import { InputError, Rng, type RngState } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type LoadedCheckpoint, torn } from '../checkpoints/checkpoint.js';
import { missingSetting } from '../missing-setting.js';
import type { JsonObject } from '../sequence-model.js';
import {
  parseTraining,
  type TrainingOptions,
  type TrainingSettings,
  trainingSchema,
} from './training-settings.js';

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
  step: z.int().min(0),
  tokens: z.int().min(0),
  bestLoss: z.number().nullable(),
  validatedAt: z.int().min(0),
  rng: z.array(z.int()),
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
  const { folder } = checkpoint;
  const parsed = schema.safeParse(checkpoint.training?.progress);
  if (!parsed.success) {
    throw new InputError(
      `The checkpoint '${folder}' cannot be resumed: it holds no state of a training run; start a new one from its parameters.`,
    );
  }
  const { settings: stored, step, tokens, bestLoss, validatedAt, rng, cursor } = parsed.data;
  const settings = inProgress(folder, "'settings' that cannot be", () => storedSettings(stored));
  return {
    progress: {
      step,
      tokens,
      bestLoss: bestLoss ?? undefined,
      validatedAt,
      rng: inProgress(folder, "an 'rng' that is none", () => Rng.fromState(rng as RngState)),
    },
    settings: goingOn(folder, settings, parseTraining({ ...settings, ...overrides })),
    cursor: cursor as JsonObject,
  };
}

/**
 * The settings to go on by, when the stored arrays are those that they need.
 * @throws InputError for another optimiser, or a mean of weights that the run has not kept.
 */
function goingOn(folder: string, stored: TrainingSettings, settings: TrainingSettings): TrainingSettings {
  const kept = ({ optimizer, ema }: TrainingSettings) =>
    `'${optimizer}' ${ema > 0 ? 'and a mean of the weights' : 'alone'}`;
  if (kept(stored) === kept(settings)) return settings;
  throw new InputError(
    `The run of '${folder}' was trained by ${kept(stored)} and cannot go on by ${kept(settings)}, which keeps other numbers; leave 'optimizer' and 'ema' as they were, or start a new run.`,
  );
}

/** Settings that the first runs were saved without: they went by AdamW, kept no mean, and when a checkpoint is written changes no number. */
const LATER = ['optimizer', 'checkpointSeconds', 'ema'];

function storedSettings(stored: Readonly<Record<string, unknown>>): TrainingSettings {
  const missing = missingSetting(trainingSchema, stored, LATER);
  if (missing !== undefined) throw new InputError(`Training setting '${missing}' is missing.`);
  return parseTraining(stored as TrainingOptions);
}

/** Uses a part of a stored progress. @throws InputError naming the file when it does not fit. */
export function inProgress<T>(folder: string, what: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw torn(folder, 'training.json', `has ${what} (${(error as Error).message})`);
  }
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

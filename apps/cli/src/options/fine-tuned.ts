import {
  isOpenOption,
  isPretrainedFolder,
  type LoraOptions,
  openPretrainedStart,
  type PretrainedStart,
} from '@palimpsest/harness';
import type { Architecture, TrainingOptions } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { followLoading } from '../terminal/progress.js';
import type { VerbContext } from '../verb.js';
import { kebab } from './fields.js';
import { TOKENIZER_OPTIONS } from './useless.js';

type Values = Readonly<Record<string, unknown>>;

/** Whether `--load` names weights that others trained, rather than a run. */
export const isFineTuning = ({ load }: Values): boolean =>
  typeof load === 'string' && isPretrainedFolder(load);

/** Options that would choose another vocabulary. */
const VOCABULARY = ['tokenizer', ...Object.keys(TOKENIZER_OPTIONS)];

/**
 * The model of a Hugging Face folder that `--load` names, or adapters beside it.
 * @throws InputError as `openPretrainedStart`.
 */
export async function fineTunedStart(
  architecture: Architecture,
  modelKeys: readonly string[],
  options: Values,
  lora: LoraOptions | undefined,
  { asked, output }: VerbContext,
): Promise<PretrainedStart> {
  const folder = options.load as string;
  const open = modelKeys.filter((key) => asked.has(key));
  const loading = followLoading(output);
  try {
    return await openPretrainedStart(
      folder,
      architecture,
      Object.fromEntries(open.map((key) => [key, options[key]])),
      loading.onProgress,
      lora,
    );
  } finally {
    loading.stop();
  }
}

/** @throws InputError for options of what the folder that `--load` names has decided. */
export function refuseDecided(
  folder: string,
  modelKeys: readonly string[],
  { asked, preset }: VerbContext,
): void {
  const named = modelKeys.find((key) => asked.has(key) && !isOpenOption(key));
  // With --load none is the usual one, so a preset was asked for.
  const shape = preset === undefined ? named : 'preset';
  if (shape !== undefined) {
    throw new InputError(
      `--${kebab(shape)} says what a new model shall be, but --load ${folder} names trained weights, whose shape is given; leave it away.`,
    );
  }
  const vocabulary = VOCABULARY.find((key) => asked.has(key));
  if (vocabulary === undefined) return;
  throw new InputError(
    `--${kebab(vocabulary)} chooses a vocabulary, but the weights of --load ${folder} belong to the one of its tokenizer.json; leave it away.`,
  );
}

/** What trained weights take without losing much of what they know; fresh ones learn at many times that, adapters at some times. */
const LEARNING_RATE = 5e-5;
const LORA_LEARNING_RATE = 2e-4;

/** The settings of a run that begins with trained weights: a learning rate for such, unless one was asked for. */
export function fineTuningSettings(
  settings: TrainingOptions,
  { model }: PretrainedStart,
  { asked, output }: VerbContext,
): TrainingOptions {
  if (asked.has('learningRate')) return settings;
  const learningRate = 'lora' in model ? LORA_LEARNING_RATE : LEARNING_RATE;
  output.note(`fine-tuning at a learning rate of ${learningRate}; --learning-rate chooses another`);
  return { ...settings, learningRate };
}

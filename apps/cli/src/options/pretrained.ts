import { newestRun, type PretrainedOptions, type WeightFormat, weightFormats } from '@palimpsest/harness';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { Output } from '../terminal/output.js';
import type { VerbArgument } from '../verb.js';

/** What a verb that opens a model of any kind is given: a place, or `--model`. */
export const modelArgument: VerbArgument = {
  name: 'checkpoint',
  description:
    'run folder, checkpoint, Hugging Face folder, GGUF file, or a trained model of `palimpsest ls shipped`',
  required: false,
};

/** The same for a verb that takes the newest run when nothing is named. */
export const newestOrNamed: VerbArgument = {
  ...modelArgument,
  description: `${modelArgument.description} (default: the newest run in runs/)`,
};

/** The place of a model, and how a model from elsewhere gets its cache. */
export const pretrainedOptions = {
  model: z.string().optional().meta({
    description: 'Hugging Face folder (safetensors) or GGUF file of a language model',
    value: 'folder',
  }),
  context: z.int().min(1).optional().meta({
    description:
      'newest tokens that such a model sees without --memory (default: its own context, at most 4096)',
    value: 'count',
  }),
  weights: z.enum(weightFormats).optional().meta({
    description:
      'bits of the matrices of such a model: 8 and 4 are faster and less exact, 16 only smaller; a run of om-arc or rsm takes 8 too (default: 32bit)',
  }),
};

type Values = Readonly<Record<string, unknown>>;

/** Where `train` puts its runs. */
export const RUNS = 'runs';

/** The folder that a verb shall open: without a name that of the newest run, which is said. */
export function placeOrNewest(options: Values, positional: readonly string[], { note }: Output): string {
  const named = positional[0] ?? options.model;
  const newest = named === undefined ? newestRun(RUNS) : undefined;
  if (newest === undefined) return placeOf(options, positional);
  note(`the newest run: ${newest}`);
  return newest;
}

/** The folder that a verb shall open. @throws InputError when there is none, or more than one. */
export function placeOf(options: Values, [argument]: readonly string[]): string {
  const { model } = options as { model?: string };
  if (argument !== undefined && model !== undefined) {
    throw new InputError(`Give one model, but both '${argument}' and --model ${model} were given.`);
  }
  const place = argument ?? model;
  if (place !== undefined) return place;
  throw new InputError('Which model? Give a run folder, or a Hugging Face folder or GGUF file with --model.');
}

/** The cache and the weights that the options ask for. */
export function cacheOf(options: Values): PretrainedOptions {
  const { context, weights } = options as { context?: number; weights?: WeightFormat };
  return { weights, capacity: context };
}

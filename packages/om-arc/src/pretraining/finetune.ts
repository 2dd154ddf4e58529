import { maximum } from '@palimpsest/base';
import {
  BpeTokenizer,
  loadCheckpoint,
  PaddedExamples,
  type TrainingEvent,
  type TrainingOptions,
  train,
} from '@palimpsest/lm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import type { OmOptions } from '../config.js';
import { tokenizerWithSpecials } from '../data/special-tokens.js';
import { createOmModel } from '../sequence-model.js';
import { instructionExample, readInstructionPairs } from './instruction-pairs.js';

export interface FinetuneOptions {
  /** Folder of the model to begin with: a stage of pretraining, or a run whose tokenizer has the special tokens. */
  readonly from: string;
  /** JSON lines of instructions and answers. */
  readonly pairs: string;
  /** Folder for checkpoints. */
  readonly folder: string;
  readonly batchSize: number;
  readonly settings: TrainingOptions;
  readonly signal?: AbortSignal;
}

const models = { 'om-arc': (config: unknown) => createOmModel(config as OmOptions) as never };

/**
 * Learns answers to instructions, with the loss on the answers only. Examples are padded to whole segments, each from fresh
 * states.
 * @throws InputError for a model without special tokens, or pairs that do not fit.
 */
export async function* finetune(
  engine: Engine,
  options: FinetuneOptions,
): AsyncGenerator<TrainingEvent, void, undefined> {
  const { from, pairs, folder, batchSize, settings, signal } = options;
  const { model, params, tokenizer } = await loadCheckpoint(from, models);
  if (!(tokenizer instanceof BpeTokenizer)) {
    throw new InputError(
      `The model in '${from}' has no special tokens for instructions; pretrain it from preprocessed texts.`,
    );
  }
  tokenizerWithSpecials(tokenizer.toJSON());
  const examples = readInstructionPairs(pairs).map((pair) => instructionExample(tokenizer, pair));
  const segment = model.config.segmentLen as number;
  const longest = maximum(examples.map(({ ids }) => ids.length - 1));
  const time = Math.ceil(longest / segment) * segment;
  const lengths = Array.from({ length: time / segment }, (_, i) => (i + 1) * segment);
  yield* train({
    engine,
    model,
    source: new PaddedExamples(examples, { batch: batchSize, time, lengths }),
    settings,
    params,
    tokenizer,
    folder,
    signal,
  });
}

import type { NDArray } from '@palimpsest/base';
import type { HuggingFaceTokenizer, JsonObject } from '@palimpsest/lm';
import type { QuantisedBits } from '@palimpsest/tensor-core';
import type { CacheOptions } from '../config.js';
import type { TransformerParameters } from '../parameters.js';
import {
  createQuantisedTransformer,
  type OtherParameters,
  type QuantisedTransformer,
} from '../quantised-transformer.js';
import { createTransformer, type Transformer } from '../transformer.js';
import type { ChatTemplate } from './chat-template.js';
import type { Family } from './checkpoint-config.js';
import type { Checkpoint } from './checkpoint-folder.js';
import { type LoadProgress, loadWeights, type WeightPlan } from './load-weights.js';
import { openCheckpoint } from './open-checkpoint.js';
import { namedTensors } from './parameters-id.js';
import { quantiseWeights } from './quantise-weights.js';

export interface LoadOptions extends CacheOptions {
  /** Called after every tensor. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** What a checkpoint folder or a GGUF file says beside its weights. */
export interface PretrainedText {
  /** The path that was given. */
  readonly folder: string;
  /** Names the parameters, so that what a model remembers is not given to another one. */
  readonly parametersId: string;
  readonly family: Family;
  /** Absent when the folder has no tokenizer.json: the model then reads ids, and no text. */
  readonly tokenizer?: HuggingFaceTokenizer | undefined;
  readonly chatTemplate?: ChatTemplate | undefined;
  /** Ids that end a text. */
  readonly endIds: readonly number[];
  /** generation_config.json, which says how the makers of the checkpoint draw; empty when there is none. */
  readonly generationConfig: JsonObject;
  /** One sentence per oddity of the folder, such as unused tensors. */
  readonly warnings: readonly string[];
}

/** A model from a checkpoint folder or a GGUF file, ready to be put on an engine. */
export interface Pretrained extends PretrainedText {
  readonly model: Transformer;
  /** float32 on the host. */
  readonly params: TransformerParameters<NDArray>;
}

/** The same with matrices of few bits, which are the model's own. */
export interface QuantisedPretrained extends PretrainedText {
  readonly model: QuantisedTransformer;
  /** What is no matrix, float32 on the host. */
  readonly params: OtherParameters<NDArray>;
  /** Bytes of the matrices. */
  readonly matrixBytes: number;
}

/**
 * Loads a Hugging Face folder or a GGUF file: GPT-2, Qwen2 and 2.5, Qwen3, Llama, Mistral, SmolLM3, Gemma 3. Weights in any
 * floating format, or in blocks of a GGUF type, in one file or several, become float32; while loading, memory holds them and
 * a few megabytes.
 * @param options how many slots the cache has (default: the context, at most 4096), a window and sinks
 * @throws InputError in one sentence naming the file and the key for anything missing, torn, misshapen or unsupported.
 */
export async function loadPretrained(path: string, options: LoadOptions = {}): Promise<Pretrained> {
  const { onProgress, ...cache } = options;
  const { files, plan, ...checkpoint } = await openCheckpoint(path, cache);
  try {
    const named = await namedTensors(files, 'float32');
    const params = await loadWeights(checkpoint.config, plan, named, onProgress);
    return {
      ...textOf(path, checkpoint, plan),
      parametersId: named.parametersId(),
      model: createTransformer(checkpoint.config),
      params,
    };
  } finally {
    await files.close();
  }
}

/**
 * Loads the same with matrices, embedding table and head of 4 or 8 bits: one scale for every 32 values. Blocks Q8_0, Q5_0
 * and Q4_0 of a GGUF file are carried over without loss into as many bits or more.
 * @throws InputError as `loadPretrained` does.
 */
export async function loadQuantised(
  path: string,
  bits: QuantisedBits,
  options: LoadOptions = {},
): Promise<QuantisedPretrained> {
  const { onProgress, ...cache } = options;
  const { files, plan, ...checkpoint } = await openCheckpoint(path, cache);
  try {
    const named = await namedTensors(files, `${bits} bits`);
    const { matrices, params } = await quantiseWeights(checkpoint.config, bits, plan, named, onProgress);
    return {
      ...textOf(path, checkpoint, plan),
      parametersId: named.parametersId(),
      model: createQuantisedTransformer(checkpoint.config, matrices),
      params,
      matrixBytes: [...matrices.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    };
  } finally {
    await files.close();
  }
}

function textOf(
  path: string,
  checkpoint: Checkpoint,
  plan: WeightPlan,
): Omit<PretrainedText, 'parametersId'> {
  const { family, tokenizer, chatTemplate, endIds, generationConfig, warnings } = checkpoint;
  return {
    folder: path,
    family,
    tokenizer,
    chatTemplate,
    endIds,
    generationConfig,
    warnings: [...warnings, ...plan.warnings],
  };
}

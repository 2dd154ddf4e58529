import type { NDArray } from '@palimpsest/base';
import type { HuggingFaceTokenizer, JsonObject } from '@palimpsest/lm';
import type { TransformerParameters } from '../parameters.js';
import { createTransformer, type Transformer } from '../transformer.js';
import type { ChatTemplate } from './chat-template.js';
import type { Family } from './checkpoint-config.js';
import { type CacheOptions, readCheckpointFolder } from './checkpoint-folder.js';
import { type LoadProgress, loadWeights, planWeights } from './load-weights.js';
import { WeightFiles } from './weight-files.js';

export interface LoadOptions extends CacheOptions {
  /** Called after every tensor. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** A model from a checkpoint folder, ready to be put on an engine. */
export interface Pretrained {
  readonly folder: string;
  readonly family: Family;
  readonly model: Transformer;
  /** float32 on the host. */
  readonly params: TransformerParameters<NDArray>;
  /** Absent when the folder has no tokenizer.json: the model then reads ids, and no text. */
  readonly tokenizer?: HuggingFaceTokenizer;
  readonly chatTemplate?: ChatTemplate;
  /** Ids that end a text. */
  readonly endIds: readonly number[];
  /** generation_config.json, which says how the makers of the checkpoint draw; empty when there is none. */
  readonly generationConfig: JsonObject;
  /** One sentence per oddity of the folder, such as unused tensors. */
  readonly warnings: readonly string[];
}

/**
 * Loads a Hugging Face folder: GPT-2, Qwen2 and Qwen2.5, Llama 3. Weights in any floating format, in one file or several,
 * become float32; while loading, memory holds them and a few megabytes.
 * @param options how many slots the cache has (default: the context, at most 4096), a window and sinks
 * @throws InputError in one sentence naming the file and the key for anything missing, torn, misshapen or unsupported.
 */
export async function loadPretrained(folder: string, options: LoadOptions = {}): Promise<Pretrained> {
  const { onProgress, ...cache } = options;
  const checkpoint = await readCheckpointFolder(folder, cache);
  const files = await WeightFiles.open(folder);
  try {
    const plan = planWeights(checkpoint.family, checkpoint.config, files);
    const params = await loadWeights(checkpoint.config, plan, files, onProgress);
    return {
      folder,
      family: checkpoint.family,
      model: createTransformer(checkpoint.config),
      params,
      ...(checkpoint.tokenizer && { tokenizer: checkpoint.tokenizer }),
      ...(checkpoint.chatTemplate && { chatTemplate: checkpoint.chatTemplate }),
      endIds: checkpoint.endIds,
      generationConfig: checkpoint.generationConfig,
      warnings: [...checkpoint.warnings, ...plan.warnings],
    };
  } finally {
    await files.close();
  }
}

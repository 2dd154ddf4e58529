import type { NDArray } from '@palimpsest/base';
import type { HuggingFaceTokenizer, JsonObject } from '@palimpsest/lm';
import type { TransformerParameters } from '../parameters.js';
import { createTransformer, type Transformer } from '../transformer.js';
import type { ChatTemplate } from './chat-template.js';
import type { Family } from './checkpoint-config.js';
import type { CacheOptions } from './checkpoint-folder.js';
import { type LoadProgress, loadWeights } from './load-weights.js';
import { openCheckpoint } from './open-checkpoint.js';

export interface LoadOptions extends CacheOptions {
  /** Called after every tensor. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** A model from a checkpoint folder or a GGUF file, ready to be put on an engine. */
export interface Pretrained {
  /** The path that was given. */
  readonly folder: string;
  readonly family: Family;
  readonly model: Transformer;
  /** float32 on the host. */
  readonly params: TransformerParameters<NDArray>;
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
    const params = await loadWeights(checkpoint.config, plan, files, onProgress);
    return {
      folder: path,
      family: checkpoint.family,
      model: createTransformer(checkpoint.config),
      params,
      tokenizer: checkpoint.tokenizer,
      chatTemplate: checkpoint.chatTemplate,
      endIds: checkpoint.endIds,
      generationConfig: checkpoint.generationConfig,
      warnings: [...checkpoint.warnings, ...plan.warnings],
    };
  } finally {
    await files.close();
  }
}

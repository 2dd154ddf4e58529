import { sizeOf } from '@palimpsest/base';
import { cacheBytesPerToken, slotsOf } from '../cache.js';
import type { CacheOptions, TransformerConfig } from '../config.js';
import type { Family } from './checkpoint-config.js';
import { openCheckpoint } from './open-checkpoint.js';

/** What a checkpoint folder or a GGUF file holds, found without reading weights. */
export interface FolderDescription {
  readonly folder: string;
  readonly family: Family;
  readonly config: TransformerConfig;
  /** Number of weights of the model. */
  readonly parameters: number;
  /** Element types of the weights in the files, as F32, F16, BF16. */
  readonly dtypes: readonly string[];
  readonly files: readonly string[];
  /** Bytes of the weights in the files. */
  readonly storedBytes: number;
  /** Bytes of the weights in memory, as float32. */
  readonly memoryBytes: number;
  /** Bytes of the cache of one text. */
  readonly cacheBytes: number;
  /** Bytes that one token takes in it: its keys and values in every layer. */
  readonly cacheBytesPerToken: number;
  /** Ids of the tokenizer, where there is one; models often round their vocabulary up. */
  readonly tokenizerSize?: number | undefined;
  readonly endIds: readonly number[];
  readonly hasChatTemplate: boolean;
  readonly warnings: readonly string[];
}

/**
 * Describes a Hugging Face folder or a GGUF file, and checks that its weights fit what it says of the model.
 * @throws InputError as `loadPretrained` does.
 */
export async function describeFolder(folder: string, cache: CacheOptions = {}): Promise<FolderDescription> {
  const { files, plan, ...checkpoint } = await openCheckpoint(folder, cache);
  try {
    const { entries, warnings } = plan;
    const tensors = entries.map(({ key }) => files.tensors.get(key)!);
    const parameters = tensors.reduce((total, { shape }) => total + sizeOf(shape), 0);
    return {
      folder,
      family: checkpoint.family,
      config: checkpoint.config,
      parameters,
      dtypes: [...new Set(tensors.map(({ dtype }) => dtype))].sort(),
      files: files.paths,
      storedBytes: tensors.reduce((total, { begin, end }) => total + end - begin, 0),
      memoryBytes: 4 * parameters,
      cacheBytes: cacheBytes(checkpoint.config),
      cacheBytesPerToken: cacheBytesPerToken(checkpoint.config),
      tokenizerSize: checkpoint.tokenizer?.vocabSize,
      endIds: checkpoint.endIds,
      hasChatTemplate: checkpoint.chatTemplate !== undefined,
      warnings: [...checkpoint.warnings, ...warnings],
    };
  } finally {
    await files.close();
  }
}

/** Bytes of the state of one text: keys, values and positions in every slot, and the next position. */
export function cacheBytes(config: TransformerConfig): number {
  const { layers, keyValueHeads, evictable } = config;
  const positions = evictable ? layers * keyValueHeads : 1;
  return slotsOf(config) * (cacheBytesPerToken(config) + 4 * positions) + 4;
}

import type { CacheOptions } from '../config.js';
import { type Checkpoint, readCheckpointFolder } from './checkpoint-folder.js';
import { GgufFiles } from './gguf/gguf-files.js';
import { ggufWeights } from './gguf/gguf-weights.js';
import { readGgufCheckpoint } from './gguf/read-gguf-checkpoint.js';
import { planWeights, type WeightPlan } from './load-weights.js';
import { WeightFiles, type WeightSource } from './weight-files.js';
import { findPrefix, weightMap } from './weight-map.js';

/** A checkpoint whose weights can be read. Close its files after use. */
export interface OpenCheckpoint extends Checkpoint {
  readonly files: WeightSource;
  readonly plan: WeightPlan;
}

/** Whether a path names a GGUF file rather than a folder. */
export const isGgufPath = (path: string): boolean => path.toLowerCase().endsWith('.gguf');

/**
 * Opens a Hugging Face folder or a GGUF file, and checks that its weights fit what it says of the model.
 * @throws InputError naming the file and the key that is missing or wrong.
 */
export async function openCheckpoint(path: string, cache: CacheOptions = {}): Promise<OpenCheckpoint> {
  return isGgufPath(path) ? openGguf(path, cache) : openFolder(path, cache);
}

async function openFolder(folder: string, cache: CacheOptions): Promise<OpenCheckpoint> {
  const stated = await readCheckpointFolder(folder, cache);
  return closingOnFailure(await WeightFiles.open(folder), async (files) => {
    const hasHead = [...files.tensors.keys()].some((key) => key.endsWith('lm_head.weight'));
    const tiedHead = stated.config.tiedHead || (!stated.statesHead && !hasHead);
    const checkpoint = { ...stated, config: { ...stated.config, tiedHead } };
    const { family, config } = checkpoint;
    const entries = weightMap(family, config, findPrefix(family, files.tensors.keys()));
    return { ...checkpoint, files, plan: planWeights(config, files, entries) };
  });
}

async function openGguf(path: string, cache: CacheOptions): Promise<OpenCheckpoint> {
  return closingOnFailure(await GgufFiles.open(path), async (files) => {
    const checkpoint = await readGgufCheckpoint(files, cache);
    const entries = ggufWeights(checkpoint.family, checkpoint.config);
    return { ...checkpoint, files, plan: planWeights(checkpoint.config, files, entries) };
  });
}

async function closingOnFailure<F extends WeightSource, T>(
  files: F,
  use: (files: F) => Promise<T>,
): Promise<T> {
  try {
    return await use(files);
  } catch (error) {
    await files.close();
    throw error;
  }
}

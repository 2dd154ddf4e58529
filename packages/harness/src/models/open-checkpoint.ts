import { type LoadedCheckpoint, loadCheckpoint, type Tokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { modelRegistry } from './architectures.js';

/** A checkpoint that can read and write text. */
export interface TextCheckpoint extends LoadedCheckpoint {
  readonly tokenizer: Tokenizer;
}

/**
 * Reads a checkpoint of any architecture of the house, or the latest one of a run folder.
 * @throws InputError when it is missing, torn, foreign, or has no tokenizer.
 */
export async function openCheckpoint(folder: string): Promise<TextCheckpoint> {
  const checkpoint = await loadCheckpoint(folder, modelRegistry);
  const { tokenizer } = checkpoint;
  if (!tokenizer) {
    throw new InputError(
      `The checkpoint '${folder}' has no tokenizer, so it can neither read nor write text.`,
    );
  }
  return { ...checkpoint, tokenizer };
}

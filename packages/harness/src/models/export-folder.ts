import { existsSync } from 'node:fs';
import {
  isAdapterFolder,
  isLora,
  type LoraParameters,
  type LoraTransformer,
  loadAdapters,
  mergeLora,
  saveAdapters,
  saveFolderLike,
  type TransformerParameters,
  transformerOf,
} from '@palimpsest/backbone';
import { InputError, type NDArray } from '@palimpsest/tensor-core';
import type { Registry } from '../create-registry.js';
import { standardRegistry } from '../registry.js';
import { pretrainedNotesSchema } from '../runs/pretrained-start.js';
import { openCheckpoint } from './open-language-model.js';

/**
 * Writes a fine-tuned model as a Hugging Face folder, in float32: that of the folder which it was begun with, with its own
 * weights; adapters are added to those of their base.
 * @param path run folder, checkpoint, or adapters in the layout of PEFT
 * @throws InputError for a model that was not begun with weights of others, or where those are gone.
 */
export async function exportFolder(
  path: string,
  out: string,
  registry: Registry = standardRegistry,
): Promise<void> {
  const lora = await adaptersOf(path, registry);
  if (lora) {
    const { params } = await mergeLora(lora.model, lora.params);
    return saveFolderLike(lora.model.lora.base.folder, out, lora.model.options, params);
  }
  const { model, params, notes } = await openCheckpoint(path, registry);
  const begun = pretrainedNotesSchema.safeParse(notes.pretrained);
  if (!begun.success) {
    throw new InputError(
      `'${path}' was not begun with a Hugging Face folder, so that none can be written of it; export it as ONNX.`,
    );
  }
  const { folder } = begun.data;
  if (!existsSync(folder)) {
    throw new InputError(
      `'${path}' was begun with '${folder}', which is gone; its configuration and tokenizer files are needed for a folder like it.`,
    );
  }
  const { options } = transformerOf(model, 'hugging-face');
  return saveFolderLike(folder, out, options, params as TransformerParameters<NDArray>);
}

/**
 * Writes adapters in the layout of PEFT.
 * @throws InputError for a model that has none.
 */
export async function exportAdapters(
  path: string,
  out: string,
  registry: Registry = standardRegistry,
): Promise<void> {
  const lora = await adaptersOf(path, registry);
  if (lora) return saveAdapters(out, lora.model, lora.params);
  throw new InputError(
    `'${path}' has no adapters; they are trained by 'train transformer --load FOLDER --lora'.`,
  );
}

/** The adapters of a run that consists of them, or of a folder in the layout of PEFT. */
async function adaptersOf(
  path: string,
  registry: Registry,
): Promise<{ model: LoraTransformer; params: LoraParameters<NDArray> } | undefined> {
  if (isAdapterFolder(path)) return loadAdapters(path);
  const { model, params } = await openCheckpoint(path, registry);
  return isLora(model) ? { model, params: params as LoraParameters<NDArray> } : undefined;
}

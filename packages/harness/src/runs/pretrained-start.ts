import { resolve } from 'node:path';
import {
  ChatTemplate,
  createTransformer,
  isAdapterFolder,
  type LoadOptions,
  type LoraOptions,
  type LoraTransformer,
  loadPretrained,
  openLoraStart,
  openSavedLora,
  type Transformer,
  transformerConfigSchema,
} from '@palimpsest/backbone';
import { type Architecture, HuggingFaceTokenizer, type JsonObject, type Tokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** What a run keeps of the checkpoint folder that it was begun with: all that its own checkpoints do not say. */
export const pretrainedNotesSchema = z.object({
  /** Absolute path. */
  folder: z.string(),
  /** Names the weights that the run began with. */
  parametersId: z.string(),
  endIds: z.array(z.int()),
  /** generation_config.json. */
  generationConfig: z.record(z.string(), z.json()),
  /** Jinja program. */
  chatTemplate: z.string().optional(),
});
type PretrainedNotes = z.output<typeof pretrainedNotesSchema>;

/** A transformer that others trained, as a run begins with it. */
export interface PretrainedStart {
  readonly model: Transformer | LoraTransformer;
  /** float32 on the host; of adapters that begin afresh nothing. */
  readonly params?: unknown;
  readonly tokenizer: Tokenizer;
  readonly notes: PretrainedNotes;
  /** One sentence per oddity of the folder. */
  readonly warnings: readonly string[];
}

/** Options of a transformer that its weights leave open: what its cache holds, and how it is trained. */
const openOptions = transformerConfigSchema.pick({
  capacity: true,
  window: true,
  sinks: true,
  evictable: true,
  dropout: true,
});

/** Whether a model of given weights may have the option otherwise. */
export const isOpenOption = (key: string): boolean => key in openOptions.shape;

/**
 * Opens a Hugging Face folder to train its model further, or adapters beside it: those of PEFT's layout, or new ones, which can
 * also stand beside a GGUF file. Shape, weights and tokenizer are those that are opened.
 * @param options what of `isOpenOption` shall be otherwise
 * @param lora new adapters learn, and nothing else
 * @throws InputError for another architecture than a transformer, a GGUF file without adapters, quantised weights, a folder
 * without a tokenizer, and as `loadPretrained` does.
 */
export async function openPretrainedStart(
  folder: string,
  { name }: Architecture,
  options: Readonly<Record<string, unknown>>,
  onProgress?: LoadOptions['onProgress'],
  lora?: LoraOptions,
): Promise<PretrainedStart> {
  if (name !== 'transformer') {
    throw new InputError(
      `'${folder}' is a Hugging Face folder, which holds a transformer and no model '${name}'; fine-tune it by 'train transformer'.`,
    );
  }
  const loaded = await openStart(folder, openOptions.parse(options), onProgress, lora);
  const { model, params, parametersId, tokenizer, chatTemplate, endIds, generationConfig, warnings } = loaded;
  if (!tokenizer) {
    throw new InputError(`'${folder}' has no tokenizer, so its model cannot be trained on a text.`);
  }
  if (tokenizer.vocabSize > model.vocabSize) {
    throw new InputError(
      `'${folder}' has a tokenizer of ${tokenizer.vocabSize} ids, but its model has ${model.vocabSize}, so it cannot be trained on a text.`,
    );
  }
  return {
    model,
    params,
    tokenizer,
    notes: pretrainedNotesSchema.parse({
      folder: resolve(loaded.folder),
      parametersId,
      endIds,
      generationConfig,
      chatTemplate: chatTemplate?.source,
    }),
    warnings,
  };
}

/** The model to train: whole, or adapters. */
async function openStart(
  folder: string,
  { dropout, ...cache }: z.output<typeof openOptions>,
  onProgress: LoadOptions['onProgress'],
  lora: LoraOptions | undefined,
) {
  const loading: LoadOptions = { ...cache, ...(onProgress && { onProgress }) };
  if (isAdapterFolder(folder)) {
    if (!lora) return openSavedLora(folder, { ...loading, dropout });
    throw new InputError(
      `'${folder}' holds adapters, which are trained further as they are; leave new ones (--lora) away, or begin with the model that they belong to.`,
    );
  }
  if (lora) return openLoraStart(folder, lora, { ...loading, dropout });
  if (folder.toLowerCase().endsWith('.gguf')) {
    throw new InputError(
      `'${folder}' is a GGUF file, whose weights are read and not trained; train adapters beside it (--lora), or give the Hugging Face folder that it was made from.`,
    );
  }
  const { model, ...loaded } = await loadPretrained(folder, loading);
  return { ...loaded, model: createTransformer({ ...model.options, dropout }) };
}

/** How a model that was begun with a checkpoint folder is spoken with. */
interface PretrainedManners {
  /** Ids of the beginning of a text: with the begin token of models that were trained with one. */
  encodeStart(text: string): Int32Array;
  encodeStartInTurns(text: string): Promise<Int32Array>;
  readonly endIds: readonly number[];
  readonly generationConfig: JsonObject;
  readonly chatTemplate: ChatTemplate | undefined;
}

/** The same for a checkpoint of a run that was begun with a folder; nothing for any other. */
export function pretrainedManners(
  folder: string,
  notes: JsonObject,
  tokenizer: Tokenizer,
): PretrainedManners | undefined {
  const parsed = pretrainedNotesSchema.safeParse(notes.pretrained);
  if (!parsed.success || !(tokenizer instanceof HuggingFaceTokenizer)) return undefined;
  const { endIds, generationConfig, chatTemplate } = parsed.data;
  return {
    encodeStart: (text) => tokenizer.encode(text, { addSpecialTokens: true }),
    encodeStartInTurns: (text) => tokenizer.encodeInTurns(text, { addSpecialTokens: true }),
    endIds,
    generationConfig,
    chatTemplate:
      chatTemplate === undefined
        ? undefined
        : new ChatTemplate(chatTemplate, tokenizer.config, `The chat template of '${folder}'`),
  };
}

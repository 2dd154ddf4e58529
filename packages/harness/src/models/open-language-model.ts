import { type ChatTemplate, type LoadOptions, loadPretrained } from '@palimpsest/backbone';
import type { AnySequenceModel, JsonObject, SamplingOptions, Tokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { openCheckpoint } from './open-checkpoint.js';
import { isPretrainedFolder } from './pretrained-folder.js';

/** The cache of a Hugging Face model, and who is told how far it is loaded. */
export type PretrainedOptions = LoadOptions;

/** A model that reads and writes text, from a checkpoint of this program or from a Hugging Face folder. */
export interface LanguageModel {
  readonly folder: string;
  readonly model: AnySequenceModel;
  /** On the host. */
  readonly params: unknown;
  /** Names the parameters, when their file states a checksum. */
  readonly parametersId?: string;
  readonly tokenizer: Tokenizer;
  /** Ids of the beginning of a text: with the begin token of models that were trained with one. */
  encodeStart(text: string): Int32Array;
  /** Ids that end a text. */
  readonly endIds: readonly number[];
  /** How the makers of the model draw, as far as they say. */
  readonly sampling: SamplingOptions;
  readonly chatTemplate?: ChatTemplate;
  /** One sentence per oddity of the folder. */
  readonly warnings: readonly string[];
}

/**
 * Opens a checkpoint, the latest one of a run folder, or a Hugging Face folder.
 * @param options cache of a Hugging Face model, which its files leave open; `onProgress` follows its loading
 * @throws InputError when it is missing, torn or foreign, or for cache options of a checkpoint, which has its own.
 */
export async function openLanguageModel(
  folder: string,
  options: PretrainedOptions = {},
): Promise<LanguageModel> {
  if (isPretrainedFolder(folder)) return openPretrained(folder, options);
  if ((['capacity', 'window', 'sinks'] as const).some((key) => options[key] !== undefined)) {
    throw new InputError(
      `'${folder}' is no Hugging Face folder: the size of its memory is part of its configuration; leave context, window and sinks away.`,
    );
  }
  const { model, params, parametersId, tokenizer, folder: place } = await openCheckpoint(folder);
  return {
    folder: place,
    model,
    params,
    parametersId,
    tokenizer,
    encodeStart: (text) => tokenizer.encode(text),
    endIds: tokenizer.endId === undefined ? [] : [tokenizer.endId],
    sampling: model.speaking?.sampling ?? {},
    warnings: tokenizer.remarks ?? [],
  };
}

async function openPretrained(folder: string, options: PretrainedOptions): Promise<LanguageModel> {
  const { model, params, tokenizer, endIds, chatTemplate, generationConfig, warnings } = await loadPretrained(
    folder,
    options,
  );
  if (!tokenizer) {
    throw new InputError(
      `The folder '${folder}' has no tokenizer.json, so its model reads ids and no text; add the file of the checkpoint.`,
    );
  }
  return {
    folder,
    model,
    params,
    tokenizer,
    encodeStart: (text) => tokenizer.encode(text, { addSpecialTokens: true }),
    endIds,
    sampling: samplingFrom(generationConfig),
    ...(chatTemplate && { chatTemplate }),
    warnings,
  };
}

/** Names of the same settings in generation_config.json. */
const SAMPLING_KEYS = {
  temperature: 'temperature',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repetitionPenalty: 'repetition_penalty',
} as const;

/** What generation_config.json says about drawing; without `do_sample` its numbers mean nothing. */
function samplingFrom(config: JsonObject): SamplingOptions {
  if (config.do_sample !== true) return {};
  const stated = Object.entries(SAMPLING_KEYS).filter(([, name]) => typeof config[name] === 'number');
  return Object.fromEntries(stated.map(([key, name]) => [key, config[name]]));
}

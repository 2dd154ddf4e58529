import { type ChatTemplate, type LoadOptions, loadPretrained, loadQuantised } from '@palimpsest/backbone';
import {
  type AnySequenceModel,
  type JsonObject,
  type LoadedCheckpoint,
  loadCheckpoint,
  type ModelRegistry,
  type SamplingOptions,
  type Tokenizer,
} from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import type { Registry } from '../create-registry.js';
import { standardRegistry } from '../registry.js';
import { isPretrainedFolder } from './pretrained-folder.js';

/** A checkpoint that can read and write text. */
export interface TextCheckpoint extends LoadedCheckpoint {
  readonly tokenizer: Tokenizer;
}

/** The same as what `loadCheckpoint` of `@palimpsest/lm` asks for: how each architecture is made from its configuration. */
export function modelsOf(registry: Registry): ModelRegistry {
  const open = (folder: string) => openLanguageModel(folder, registry);
  return Object.fromEntries(
    registry.architectures.map(({ name, restore }) => [name, (config) => restore(config, open)]),
  );
}

/**
 * Reads a checkpoint of any architecture, or the latest one of a run folder.
 * @param registry which architectures there are. Default: those of the house
 * @throws InputError when it is missing, torn, foreign, or has no tokenizer.
 */
export async function openCheckpoint(
  folder: string,
  registry: Registry = standardRegistry,
): Promise<TextCheckpoint> {
  const checkpoint = await loadCheckpoint(folder, modelsOf(registry));
  const { tokenizer } = checkpoint;
  if (!tokenizer) {
    throw new InputError(
      `The checkpoint '${folder}' has no tokenizer, so it can neither read nor write text.`,
    );
  }
  return { ...checkpoint, tokenizer };
}

/** How many bits the matrices of a model that others made take in memory. */
export const weightFormats = ['4bit', '8bit', '32bit'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/** The cache of a model that others made, the bits of its weights, and who is told how far it is loaded. */
export interface PretrainedOptions extends LoadOptions {
  /** Default `32bit`. */
  readonly weights?: WeightFormat | undefined;
}

/** A model that reads and writes text, from a checkpoint of this program, a Hugging Face folder or a GGUF file. */
export interface LanguageModel {
  /** The path that was given, also for the latest checkpoint of a run folder. */
  readonly folder: string;
  readonly model: AnySequenceModel;
  /** On the host. */
  readonly params: unknown;
  /** Names the parameters. */
  readonly parametersId?: string;
  readonly tokenizer: Tokenizer;
  /** Ids of the beginning of a text: with the begin token of models that were trained with one. */
  encodeStart(text: string): Int32Array;
  /** Ids that end a text. */
  readonly endIds: readonly number[];
  /** How the makers of the model draw, as far as they say. */
  readonly sampling: SamplingOptions;
  readonly chatTemplate?: ChatTemplate | undefined;
  /** One sentence per oddity of the folder. */
  readonly warnings: readonly string[];
}

/**
 * Opens a checkpoint, the latest one of a run folder, a Hugging Face folder, or a GGUF file.
 * @param registry which architectures there are. Default: those of the house
 * @param options cache of a model that others made, whose files leave it open; `onProgress` follows its loading
 * @throws InputError when it is missing, torn or foreign, or for cache options of a checkpoint, which has its own.
 */
export async function openLanguageModel(
  folder: string,
  registry: Registry = standardRegistry,
  options: PretrainedOptions = {},
): Promise<LanguageModel> {
  if (isPretrainedFolder(folder)) return openPretrained(folder, options);
  if ((['capacity', 'window', 'sinks'] as const).some((key) => options[key] !== undefined)) {
    throw new InputError(
      `'${folder}' is no Hugging Face folder and no GGUF file: the size of its memory is part of its configuration; leave context, window and sinks away.`,
    );
  }
  if (options.weights !== undefined && options.weights !== '32bit') {
    throw new InputError(
      `'${folder}' is no Hugging Face folder and no GGUF file: only weights of such can be read with ${options.weights}; leave weights away.`,
    );
  }
  const { model, params, parametersId, tokenizer } = await openCheckpoint(folder, registry);
  return {
    folder,
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
  const { weights = '32bit', ...loading } = options;
  const { parametersId, generationConfig, ...loaded } =
    weights === '32bit'
      ? await loadPretrained(folder, loading)
      : await loadQuantised(folder, weights === '8bit' ? 8 : 4, loading);
  const { model, params, tokenizer, endIds, chatTemplate, warnings } = loaded;
  if (!tokenizer) {
    throw new InputError(
      `'${folder}' has no tokenizer, so its model reads ids and no text; a folder has it in tokenizer.json, a GGUF file in its metadata.`,
    );
  }
  return {
    folder,
    model,
    params,
    parametersId,
    tokenizer,
    encodeStart: (text) => tokenizer.encode(text, { addSpecialTokens: true }),
    endIds,
    sampling: samplingFrom(generationConfig),
    chatTemplate,
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

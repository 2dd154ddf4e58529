import {
  type ChatTemplate,
  isAdapterFolder,
  isLora,
  type LoadOptions,
  type LoraParameters,
  loadAdapters,
  loadBySize,
  loadFrozen,
  mergeLora,
  type WeightFormat,
} from '@palimpsest/backbone';
import {
  type AnySequenceModel,
  type JsonObject,
  type LoadedCheckpoint,
  loadCheckpoint,
  type ModelRegistry,
  type SamplingOptions,
  samplingSchema,
  type Tokenizer,
  withByteWeights,
} from '@palimpsest/lm';
import { type EngineName, InputError, type NDArray } from '@palimpsest/tensor-core';
import type { Registry } from '../create-registry.js';
import { standardRegistry } from '../registry.js';
import { pretrainedManners } from '../runs/pretrained-start.js';
import { isPretrainedFolder } from './pretrained-folder.js';
import { openSessionModel, placeOfModel } from './shipped.js';

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
 * Reads a checkpoint of any architecture, the latest one of a run folder, or a shipped model by its name.
 * @param registry which architectures there are. Default: those of the house
 * @throws InputError when it is missing, torn, foreign, or has no tokenizer.
 */
export async function openCheckpoint(
  folder: string,
  registry: Registry = standardRegistry,
): Promise<TextCheckpoint> {
  const checkpoint = await loadCheckpoint(placeOfModel(folder), modelsOf(registry));
  const { tokenizer } = checkpoint;
  if (!tokenizer) {
    throw new InputError(
      `The checkpoint '${folder}' has no tokenizer, so it can neither read nor write text.`,
    );
  }
  return { ...checkpoint, tokenizer };
}

export { type WeightFormat, weightFormats } from '@palimpsest/backbone';

/** The cache of a model that others made, the bits of its weights, and who is told how far it is loaded. */
export interface PretrainedOptions extends LoadOptions {
  /** How many bits the matrices take; a checkpoint has `32bit`, and `8bit` where its model decodes with them. Default `32bit`. */
  readonly weights?: WeightFormat | undefined;
  /** The engine that shall read the model, which decides where the weights lie. Default: they are numbers in memory. */
  readonly engine?: EngineName | undefined;
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
  /** The same for a long text, with turns for others between; see `Tokenizer`. */
  readonly encodeStartInTurns?: ((text: string) => Promise<Int32Array>) | undefined;
  /** Ids that end a text. */
  readonly endIds: readonly number[];
  /** How the makers of the model draw, as far as they say. */
  readonly sampling: SamplingOptions;
  readonly chatTemplate?: ChatTemplate | undefined;
  /** What the model reads and writes are lines that end with this. */
  readonly lineEnd?: string | undefined;
  /** Folder of adapters that come with the model, by which memories stand before its prompts as keys and values. */
  readonly memoryAdapters?: string | undefined;
  /** One sentence per oddity of the folder. */
  readonly warnings: readonly string[];
  /** Removes files that were written to hold the weights; no engine may use the model any more. */
  dispose(): Promise<void>;
}

/**
 * Opens a checkpoint, the latest one of a run folder, a shipped model by its name, a Hugging Face folder, or a GGUF file.
 * @param registry which architectures there are. Default: those of the house
 * @param options cache of a model that others made, whose files leave it open; `onProgress` follows its loading
 * @throws InputError when it is missing, torn or foreign, for cache options of a checkpoint, which has its own, or for weights
 * of 8 bits of a model that does not decode with them.
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
  const { weights = '32bit' } = options;
  if (weights !== '32bit' && weights !== '8bit') {
    throw new InputError(
      `'${folder}' is no Hugging Face folder and no GGUF file: only weights of such can be read with ${weights}; leave weights away, or take 8bit where the model decodes with them.`,
    );
  }
  const language = (await openSessionModel(folder)) ?? (await openRun(folder, registry, options));
  return weights === '8bit' ? { ...language, model: withByteWeights(language.model) } : language;
}

async function openRun(
  folder: string,
  registry: Registry,
  options: PretrainedOptions,
): Promise<LanguageModel> {
  const { tokenizer, notes, ...saved } = await openCheckpoint(folder, registry);
  const { model, params, parametersId } = await merged(saved, options);
  const manners = pretrainedManners(folder, notes, tokenizer);
  return {
    folder,
    model,
    params,
    parametersId,
    tokenizer,
    encodeStart: manners?.encodeStart ?? ((text) => tokenizer.encode(text)),
    encodeStartInTurns: manners?.encodeStartInTurns,
    endIds: manners?.endIds ?? (tokenizer.endId === undefined ? [] : [tokenizer.endId]),
    sampling: manners ? samplingFrom(manners.generationConfig, folder) : (model.speaking?.sampling ?? {}),
    chatTemplate: manners?.chatTemplate,
    lineEnd: typeof notes.lineEnd === 'string' ? notes.lineEnd : undefined,
    warnings: tokenizer.remarks ?? [],
    dispose: async () => {},
  };
}

/** A model that is read is as fast as its base: adapters are added to the weights. */
async function merged(
  { model, params, parametersId }: Pick<LoadedCheckpoint, 'model' | 'params' | 'parametersId'>,
  { onProgress }: PretrainedOptions,
): Promise<Pick<LoadedCheckpoint, 'model' | 'params' | 'parametersId'>> {
  if (!isLora(model)) return { model, params, parametersId };
  return mergeLora(model, params as LoraParameters<NDArray>, onProgress);
}

async function openPretrained(folder: string, options: PretrainedOptions): Promise<LanguageModel> {
  const { parametersId, generationConfig, ...loaded } = await loadAsAsked(folder, options);
  const { model, params, tokenizer, endIds, chatTemplate, warnings, dispose } = loaded;
  try {
    if (!tokenizer) {
      throw new InputError(
        `'${folder}' has no tokenizer, so its model reads ids and no text; a folder has it in tokenizer.json, in tokenizer.model or in vocab.json with merges.txt, a GGUF file in its metadata.`,
      );
    }
    return {
      folder,
      model,
      params,
      parametersId,
      tokenizer,
      encodeStart: (text) => tokenizer.encode(text, { addSpecialTokens: true }),
      encodeStartInTurns: (text) => tokenizer.encodeInTurns(text, { addSpecialTokens: true }),
      endIds,
      sampling: samplingFrom(generationConfig, folder),
      chatTemplate,
      warnings,
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Weights beyond this size stay in files; smaller ones are faster as constants that the runtime rearranges. */
const LARGE_BYTES = 2 ** 26;

async function loadAsAsked(folder: string, options: PretrainedOptions) {
  const { weights = '32bit', engine, ...loading } = options;
  if (weights === '16bit' && engine !== undefined && engine !== 'onnx') {
    throw new InputError(
      `Weights of 16 bits are read by the engine onnx alone, not by ${engine}; take another engine, or weights of 32, 8 or 4 bits.`,
    );
  }
  if (isAdapterFolder(folder)) return openAdapters(folder, weights, loading);
  if (weights !== '32bit') return loadFrozen(folder, weights, loading);
  const largeBytes = engine === 'onnx' ? LARGE_BYTES : Number.POSITIVE_INFINITY;
  return { dispose: async () => {}, ...(await loadBySize(folder, largeBytes, loading)) };
}

/** The model of adapters in the layout of PEFT. */
async function openAdapters(
  folder: string,
  weights: WeightFormat,
  { onProgress, signal: _, ...cache }: LoadOptions,
) {
  if (weights !== '32bit') {
    throw new InputError(
      `'${folder}' holds adapters, which are added to weights of 32 bits, so that ${weights} is not possible; export them with their model as a folder first.`,
    );
  }
  const { model, params } = await loadAdapters(folder);
  const isAsked = Object.values(cache).some((value) => value !== undefined);
  const asked = isAsked ? model.withCache(cache) : model;
  return { ...(await mergeLora(asked, params, onProgress)), dispose: async () => {} };
}

/** Names of the same settings in generation_config.json. */
const SAMPLING_KEYS = {
  temperature: 'temperature',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repetitionPenalty: 'repetition_penalty',
} as const;

/**
 * What generation_config.json says about drawing; without `do_sample` its numbers mean nothing.
 * @throws InputError naming the key of which nothing can be drawn.
 */
function samplingFrom(config: JsonObject, folder: string): SamplingOptions {
  if (config.do_sample !== true) return {};
  const names = Object.keys(SAMPLING_KEYS) as (keyof typeof SAMPLING_KEYS)[];
  const stated = names.flatMap((name) => {
    const key = SAMPLING_KEYS[name];
    const value = config[key] ?? undefined;
    const parsed = samplingSchema.shape[name].safeParse(value);
    if (parsed.success) return value === undefined ? [] : [[name, parsed.data] as const];
    throw new InputError(
      `The generation_config.json of '${folder}' has ${JSON.stringify(value)} for '${key}', by which no token can be drawn: ${parsed.error.issues[0]!.message}.`,
    );
  });
  return Object.fromEntries(stated);
}

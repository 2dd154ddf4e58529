import { type NDArray, sizeOf } from '@palimpsest/base';
import type { HuggingFaceTokenizer, JsonObject } from '@palimpsest/lm';
import type { CacheOptions } from '../config.js';
import {
  createFrozenTransformer,
  type FrozenMatrices,
  type FrozenTransformer,
  type OtherParameters,
} from '../frozen-transformer.js';
import type { TransformerParameters } from '../parameters.js';
import { createTransformer, type Transformer } from '../transformer.js';
import type { ChatTemplate } from './chat-template.js';
import type { Family } from './checkpoint-config.js';
import type { Checkpoint } from './checkpoint-folder.js';
import { KeptWeights } from './kept-weights.js';
import { type LoadProgress, loadWeights, type WeightPlan } from './load-weights.js';
import { type OpenCheckpoint, openCheckpoint } from './open-checkpoint.js';
import { namedTensors } from './parameters-id.js';
import { readOthers, storeWeights, type WeightFormat } from './store-weights.js';
import { WeightStore } from './weight-store.js';

export interface LoadOptions extends CacheOptions {
  /** Called after every tensor. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Ends the loading within a piece of a tensor: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a checkpoint folder or a GGUF file says beside its weights. */
export interface PretrainedText {
  /** The path that was given. */
  readonly folder: string;
  /** Names the parameters, so that what a model remembers is not given to another one. */
  readonly parametersId: string;
  readonly family: Family;
  /** Absent when the folder has no tokenizer: the model then reads ids, and no text. */
  readonly tokenizer?: HuggingFaceTokenizer | undefined;
  readonly chatTemplate?: ChatTemplate | undefined;
  /** Ids that end a text. */
  readonly endIds: readonly number[];
  /** generation_config.json, which says how the makers of the checkpoint draw; empty when there is none. */
  readonly generationConfig: JsonObject;
  /** One sentence per oddity of the folder, such as unused tensors. */
  readonly warnings: readonly string[];
}

/** A model from a checkpoint folder or a GGUF file, ready to be put on an engine. */
export interface Pretrained extends PretrainedText {
  readonly model: Transformer;
  /** float32 on the host. */
  readonly params: TransformerParameters<NDArray>;
}

/** The same with matrices in files, which are the model's own. */
export interface FrozenPretrained extends PretrainedText {
  readonly model: FrozenTransformer;
  /** By path, as `blocks.0.up.weight`. */
  readonly matrices: FrozenMatrices;
  /** What is no matrix, float32 on the host. */
  readonly params: OtherParameters<NDArray>;
  /** Bytes of the matrices. */
  readonly matrixBytes: number;
  /** Removes the files that were written; no engine may use the model any more. */
  dispose(): Promise<void>;
}

/**
 * Loads a Hugging Face folder or a GGUF file: GPT-2, Qwen2 and 2.5, Qwen3, Llama, Mistral, SmolLM3, Gemma 3. Weights in any
 * floating format, or in blocks of a GGUF type, in one file or several, become float32; while loading, memory holds them and
 * a few megabytes.
 * @param options how many slots the cache has (default: the context, at most 4096), a window and sinks
 * @throws InputError in one sentence naming the file and the key for anything missing, torn, misshapen or unsupported.
 */
export async function loadPretrained(path: string, options: LoadOptions = {}): Promise<Pretrained> {
  return withCheckpoint(path, options, (open) => widen(path, open, options));
}

/**
 * Loads the same for reading and writing alone: matrices, embedding table and head lie in files that graphs map into memory,
 * one copy for all of them. Of `8bit` and `4bit` matrices 32 values have one scale; blocks Q8_0, Q5_0 and Q4_0 of a GGUF file
 * are carried over without loss into as many bits or more. Of `16bit` ones, F16 and BF16 stay as they are, and what else there
 * is becomes F16; products are computed in single precision. What has the form already is used where it lies, so the path
 * may not change meanwhile; the rest goes to a folder in `PALIMPSEST_CACHE`, else in the system's folder for temporary files.
 * Where `PALIMPSEST_CACHE` is set, what was rounded to 8 or 4 bits is kept there for later starts.
 * @throws InputError as `loadPretrained` does; PalimpsestError when the disk is full.
 */
export async function loadFrozen(
  path: string,
  format: WeightFormat,
  options: LoadOptions = {},
): Promise<FrozenPretrained> {
  return withCheckpoint(path, options, (open) => freeze(path, open, format, options));
}

/**
 * Loads a model of large matrices as `loadFrozen` does, with 32 bits, and another one as `loadPretrained` does: constants that
 * the runtime rearranges are faster, and cost a second copy.
 * @param largeBytes of all weights in single precision; more are frozen
 */
export async function loadBySize(
  path: string,
  largeBytes: number,
  options: LoadOptions = {},
): Promise<Pretrained | FrozenPretrained> {
  return withCheckpoint<Pretrained | FrozenPretrained>(path, options, (open) => {
    const { files, plan } = open;
    const weights = plan.entries.reduce((sum, { key }) => sum + sizeOf(files.tensors.get(key)!.shape), 0);
    return 4 * weights > largeBytes ? freeze(path, open, '32bit', options) : widen(path, open, options);
  });
}

async function withCheckpoint<T>(
  path: string,
  { onProgress: _, signal: _s, ...cache }: LoadOptions,
  use: (open: OpenCheckpoint) => Promise<T>,
): Promise<T> {
  const open = await openCheckpoint(path, cache);
  try {
    return await use(open);
  } finally {
    await open.files.close();
  }
}

async function widen(
  path: string,
  open: OpenCheckpoint,
  { onProgress, signal }: LoadOptions,
): Promise<Pretrained> {
  const { files, plan, config } = open;
  const named = await namedTensors(files, 'float32', signal);
  const params = await loadWeights(config, plan, named, onProgress);
  const parametersId = named.parametersId();
  return { ...textOf(path, open, plan), parametersId, model: createTransformer(config), params };
}

async function freeze(
  path: string,
  open: OpenCheckpoint,
  format: WeightFormat,
  { onProgress, signal }: LoadOptions,
): Promise<FrozenPretrained> {
  const { files, plan, config } = open;
  const form = format === '32bit' ? 'float32' : format.replace('bit', ' bits');
  const named = await namedTensors(files, form, signal);
  const store = await WeightStore.create();
  try {
    const kept = await KeptWeights.of(files, plan, format, signal);
    const known = await kept?.take(store);
    const stored = known
      ? { ...known, params: await readOthers(config, plan, files, onProgress) }
      : await storeWeights(config, format, plan, named, store, onProgress);
    await store.finish();
    const { matrices, params } = stored;
    const parametersId = known?.parametersId ?? named.parametersId();
    if (!known) await kept?.keep(store, { matrices, parametersId });
    return {
      ...textOf(path, open, plan),
      parametersId,
      model: createFrozenTransformer(config, matrices),
      matrices,
      params,
      matrixBytes: [...matrices.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
      dispose: () => store.dispose(),
    };
  } catch (error) {
    await store.dispose();
    throw error;
  }
}

function textOf(
  path: string,
  checkpoint: Checkpoint,
  plan: WeightPlan,
): Omit<PretrainedText, 'parametersId'> {
  const { family, tokenizer, chatTemplate, endIds, generationConfig, warnings } = checkpoint;
  return {
    folder: path,
    family,
    tokenizer,
    chatTemplate,
    endIds,
    generationConfig,
    warnings: [...warnings, ...plan.warnings],
  };
}

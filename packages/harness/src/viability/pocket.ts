import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import {
  type ConversationAdapters,
  type FrozenModel,
  integerCodec,
  loadConversation,
} from '@palimpsest/ams-v4';
import {
  createTransformer,
  loadPretrained,
  PretrainedTokenizer,
  resolveConfig,
  type TransformerConfig,
} from '@palimpsest/backbone';
import {
  InputError,
  type NDArray,
  ndarray,
  parseJson,
  Rng,
  readSafetensors,
  type SafeTensor,
  treeMap,
  treeToRecord,
  writeFileAtomically,
  writeSafetensors,
} from '@palimpsest/base';
import { z } from 'zod';
import { pocketOptions } from './backbone/pocket-model.js';
import { END_TOKEN, pocketTokenizer } from './pocket-tokenizer.js';

const WEIGHTS = 'weights.safetensors';
const MERGES = 'merges.json';
const ADAPTERS = 'adapters';
/** Facts of the longest history that the quick form asks about, in tokens. */
const CAPACITY = 1024;

/** A small language model and what a memory needs over it. */
export interface Pocket {
  readonly frozen: FrozenModel;
  readonly tokenizer: PretrainedTokenizer;
  readonly adapters: ConversationAdapters;
}

/** The folder of the small model that ships with this package. */
export const embeddedPocketFolder = (): string => join(dirname(fileURLToPath(import.meta.url)), 'pocket');

/** The folder of its adapters. */
export const adaptersOfPocket = (folder = embeddedPocketFolder()): string => join(folder, ADAPTERS);

/**
 * Writes an offline backbone with 8 bits per weight, each row of a matrix with a scale of its own, and its adapters: what ships.
 * @param model folder of `train-backbone`
 * @param adapters folder of `train-adapters`
 * @throws InputError for a model with other options.
 */
export async function shrinkPocket(model: string, adapters: string, folder: string): Promise<void> {
  const { model: own, params } = await loadPretrained(model);
  const differs = differing(own.options, resolveConfig(pocketOptions));
  if (differs !== undefined) {
    throw new InputError(
      `The model in '${model}' has another '${differs}' than the offline backbone; only that one is shrunk.`,
    );
  }
  await loadConversation(adapters, own.options);
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, array] of Object.entries(treeToRecord<NDArray>(params)))
    Object.assign(tensors, shrunk(name, array));
  mkdirSync(folder, { recursive: true });
  await writeSafetensors(join(folder, WEIGHTS), tensors);
  await writeFileAtomically(
    join(folder, MERGES),
    new TextEncoder().encode(JSON.stringify(await mergesOf(model))),
  );
  cpSync(adapters, join(folder, ADAPTERS), { recursive: true });
}

/**
 * Reads what `shrinkPocket` wrote.
 * @param capacity tokens that the model keeps at most. Default 1,024
 * @throws InputError when the folder holds nothing of the kind.
 */
export async function loadPocket(folder = embeddedPocketFolder(), capacity = CAPACITY): Promise<Pocket> {
  if (!existsSync(join(folder, WEIGHTS))) {
    throw new InputError(`The folder '${folder}' holds no shrunk model: there is no ${WEIGHTS}.`);
  }
  const { tensors } = await readSafetensors(join(folder, WEIGHTS));
  const model = createTransformer({ ...pocketOptions, capacity });
  const template = model.init(Rng.ofShapes(Number.POSITIVE_INFINITY));
  const params = treeMap<NDArray, NDArray, typeof template>(template, ({ shape }, path) =>
    grown(tensors, path, shape, folder),
  );
  const path = join(folder, MERGES);
  const merges = mergesIn(parseJson(await readFile(path), path), path);
  const tokenizer = new PretrainedTokenizer(pocketTokenizer(merges), { eos_token: END_TOKEN });
  return {
    frozen: { model, params, tokenizer, endIds: [tokenizer.endId!] },
    tokenizer,
    adapters: await loadConversation(adaptersOfPocket(folder), model.options),
  };
}

const scaleOf = (name: string): string => `${name}.scale`;

/** An option in which two models differ, but for how much they keep. */
function differing(one: TransformerConfig, other: TransformerConfig): string | undefined {
  const values = new Map<string, unknown>(Object.entries(one));
  return Object.entries(other).find(
    ([key, value]) => key !== 'capacity' && !isDeepStrictEqual(values.get(key), value),
  )?.[0];
}

/** Rows of a matrix in 8 bits, each of them one group: its scale, and then its whole numbers. */
const rowsOf = (width: number) => integerCodec(width, width, 8);
const SCALE_BYTES = 4;

/** A matrix as whole numbers with a scale per row; a vector as it is. */
function shrunk(name: string, array: NDArray): Record<string, SafeTensor> {
  const { data, shape } = array;
  if (shape.length === 1) return { [name]: { dtype: 'F32', shape, data: Float32Array.from(data) } };
  const [rows, width] = shape as [number, number];
  const codec = rowsOf(width);
  const bytes = codec.encode(array);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const levels = new Int8Array(rows * width);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const at = row * codec.bytesPerRow;
    scales[row] = view.getFloat32(at, true);
    levels.set(bytes.subarray(at + SCALE_BYTES, at + codec.bytesPerRow), row * width);
  }
  return {
    [name]: { dtype: 'I8', shape, data: levels },
    [scaleOf(name)]: { dtype: 'F32', shape: [rows], data: scales },
  };
}

function grown(
  tensors: ReadonlyMap<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  folder: string,
): NDArray<'float32'> {
  const data = tensors.get(name)?.data;
  const scales = tensors.get(scaleOf(name))?.data;
  if (tensors.get(name)?.shape.join() === shape.join()) {
    if (shape.length === 1 && data instanceof Float32Array) return ndarray(data, shape);
    if (data instanceof Int8Array && scales instanceof Float32Array && scales.length === shape[0])
      return ofRows(data, scales);
  }
  throw new InputError(`${join(folder, WEIGHTS)} lacks '${name}' in the shape [${shape.join(', ')}].`);
}

function ofRows(levels: Int8Array, scales: Float32Array): NDArray<'float32'> {
  const width = levels.length / scales.length;
  const codec = rowsOf(width);
  const bytes = new Uint8Array(scales.length * codec.bytesPerRow);
  const view = new DataView(bytes.buffer);
  for (const [row, scale] of scales.entries()) {
    const at = row * codec.bytesPerRow;
    view.setFloat32(at, scale, true);
    bytes.set(levels.subarray(row * width, (row + 1) * width), at + SCALE_BYTES);
  }
  return codec.decode(bytes);
}

/** @throws InputError for anything but a list of pairs. */
function mergesIn(json: unknown, path: string): string[] {
  const merges = z.array(z.string()).safeParse(json);
  if (merges.success) return merges.data;
  throw new InputError(`${path} holds no merges of a tokenizer.`);
}

async function mergesOf(model: string): Promise<string[]> {
  const path = join(model, 'tokenizer.json');
  const json = z
    .object({ model: z.object({ merges: z.unknown() }) })
    .safeParse(parseJson(await readFile(path), path));
  return mergesIn(json.data?.model.merges, path);
}

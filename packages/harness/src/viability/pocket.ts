import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConversationAdapters, type FrozenModel, loadConversation } from '@palimpsest/ams-v4';
import { createTransformer, loadPretrained, PretrainedTokenizer } from '@palimpsest/backbone';
import {
  InputError,
  type NDArray,
  ndarray,
  Rng,
  readSafetensors,
  type SafeTensor,
  sizeOf,
  treeMap,
  treeToRecord,
  writeFileAtomically,
  writeSafetensors,
} from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { pocketOptions } from './backbone/pocket-model.js';
import { END_TOKEN, pocketTokenizer } from './pocket-tokenizer.js';

const WEIGHTS = 'weights.safetensors';
const MERGES = 'merges.json';
const ADAPTERS = 'adapters';
/** Largest number of 8 bits. */
const MOST = 127;
/** Facts of the longest history that the quick form asks about, in tokens. */
const CAPACITY = 1024;

/** A small language model and what a memory needs over it. */
export interface Pocket {
  readonly frozen: FrozenModel;
  readonly adapters: ConversationAdapters;
}

/** The folder of the small model that ships with this package. */
export const embeddedPocketFolder = (): string => join(dirname(fileURLToPath(import.meta.url)), 'pocket');

/**
 * Writes an offline backbone with 8 bits per weight, each row of a matrix with a scale of its own, and its adapters: what ships.
 * @param model folder of `train-backbone`
 * @param adapters folder of `train-adapters`
 * @throws InputError for a model of other sizes.
 */
export async function shrinkPocket(model: string, adapters: string, folder: string): Promise<void> {
  const { model: own, params } = await loadPretrained(model);
  const differs = Object.entries(pocketOptions).find(
    ([key, value]) =>
      key !== 'capacity' &&
      Object.entries(own.options).some(([name, other]) => name === key && other !== value),
  );
  if (differs) {
    throw new InputError(
      `The model in '${model}' has another '${differs[0]}' than the offline backbone; only that one is shrunk.`,
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

/** Reads what `shrinkPocket` wrote. @throws InputError when the folder holds nothing of the kind. */
export async function loadPocket(folder = embeddedPocketFolder()): Promise<Pocket> {
  if (!existsSync(join(folder, WEIGHTS))) {
    throw new InputError(`The folder '${folder}' holds no shrunk model: there is no ${WEIGHTS}.`);
  }
  const { tensors } = await readSafetensors(join(folder, WEIGHTS));
  const model = createTransformer({ ...pocketOptions, capacity: CAPACITY });
  const template = model.init(Rng.ofShapes(Number.POSITIVE_INFINITY));
  const params = treeMap<NDArray, NDArray, typeof template>(template, ({ shape }, path) =>
    grown(tensors, path, shape, folder),
  );
  const merges = JSON.parse(await readFile(join(folder, MERGES), 'utf8')) as string[];
  const tokenizer = new PretrainedTokenizer(pocketTokenizer(merges), { eos_token: END_TOKEN });
  return {
    frozen: { model, params, tokenizer, endIds: [tokenizer.endId!] },
    adapters: await loadConversation(join(folder, ADAPTERS), model.options),
  };
}

const scaleOf = (name: string): string => `${name}.scale`;

/** A matrix as whole numbers with a scale per row; a vector as it is. */
function shrunk(name: string, { data, shape }: NDArray): Record<string, SafeTensor> {
  if (shape.length === 1) return { [name]: { dtype: 'F32', shape, data: Float32Array.from(data) } };
  const [rows, width] = shape as [number, number];
  const small = new Int8Array(rows * width);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = Float32Array.from(data.slice(row * width, (row + 1) * width));
    const scale = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / MOST || 1;
    scales[row] = scale;
    for (let i = 0; i < width; i++) small[row * width + i] = Math.round(own[i]! / scale);
  }
  return {
    [name]: { dtype: 'I8', shape, data: small },
    [scaleOf(name)]: { dtype: 'F32', shape: [rows], data: scales },
  };
}

function grown(
  tensors: ReadonlyMap<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  folder: string,
): NDArray<'float32'> {
  const [found, scales] = [tensors.get(name), tensors.get(scaleOf(name))];
  if (
    !found ||
    found.shape.join() !== shape.join() ||
    (shape.length > 1 && !(scales?.data instanceof Float32Array))
  ) {
    throw new InputError(`${join(folder, WEIGHTS)} lacks '${name}' in the shape [${shape.join(', ')}].`);
  }
  const width = sizeOf(shape) / shape[0]!;
  const data = Float32Array.from(found.data as ArrayLike<number>, (value, i) =>
    shape.length === 1 ? value : value * Number(scales!.data[Math.floor(i / width)]),
  );
  return ndarray(data, shape);
}

async function mergesOf(model: string): Promise<readonly string[]> {
  const json = JSON.parse(await readFile(join(model, 'tokenizer.json'), 'utf8')) as { model: JsonObject };
  return json.model.merges as readonly string[];
}

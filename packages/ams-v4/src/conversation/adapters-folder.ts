import { cachedRowWidth, type TransformerConfig } from '@palimpsest/backbone';
import {
  floatsToHalves,
  halvesToFloats,
  InputError,
  nodeModule,
  parseJson,
  readSafetensors,
  type SafeTensor,
  writeFileAtomically,
  writeSafetensors,
} from '@palimpsest/base';
import { type NDArray, ndarray, Rng, treeMap, treeToRecord } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { WordRarity } from '../text/content-words.js';
import type { ConversationAdapters, FeatureStandard } from './adapters.js';
import { conversationConfig } from './config.js';
import { headsInit } from './heads.js';
import { fieldWidths, KakeyaRows } from './kakeya-rows.js';
import type { RowMaps } from './row-prediction.js';
import { Standardiser } from './standardiser.js';

const SETTINGS = 'memory.json';
const ARRAYS = 'memory.safetensors';
const SETS = 'key-value-sets.safetensors';
const VERSION = 1;

const paths = async (folder: string) => {
  const { join } = nodeModule('node:path');
  return { settings: join(folder, SETTINGS), arrays: join(folder, ARRAYS), sets: join(folder, SETS) };
};

/** Writes what was trained to a folder: settings, arrays, and the sets of keys and values. */
export async function saveConversation(folder: string, adapters: ConversationAdapters): Promise<void> {
  const { mkdir } = nodeModule('node:fs').promises;
  await mkdir(folder, { recursive: true });
  const { settings, arrays, sets } = await paths(folder);
  const standard = ({ centroid, hidden }: FeatureStandard) => ({
    centroid: { mean: centroid.mean, deviation: centroid.deviation },
    hidden: { mean: hidden.mean, deviation: hidden.deviation },
  });
  const vectors = {
    memories: standard(adapters.memories),
    queries: standard(adapters.queries),
    ...(adapters.tokenWeights && { tokenWeights: adapters.tokenWeights }),
  };
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, { data, shape }] of Object.entries(treeToRecord<NDArray>(adapters.heads))) {
    tensors[`heads.${name}`] = { data: Float32Array.from(data), shape, dtype: 'F32' };
  }
  for (const [name, data] of Object.entries(treeToRecord<Float32Array>(vectors))) {
    tensors[name] = { data, shape: [data.length], dtype: 'F32' };
  }
  for (const [name, tensor] of Object.entries(predictionTensors(adapters.prediction))) tensors[name] = tensor;
  const { leadIn } = adapters;
  if (leadIn) tensors.leadIn = { data: leadIn.data, shape: leadIn.shape, dtype: 'F32' };
  await writeSafetensors(arrays, tensors);
  await adapters.rows?.registry.save(sets);
  const json = {
    version: VERSION,
    config: adapters.config,
    rarity: adapters.rarity,
    sets: adapters.rows !== undefined,
  };
  // Last, so that a folder with settings is a whole one.
  await writeFileAtomically(settings, new TextEncoder().encode(`${JSON.stringify(json)}\n`));
}

/**
 * Reads what was trained for a language model.
 * @param model options of the language model
 * @throws InputError when the folder holds nothing of the kind, or something for another model.
 */
export async function loadConversation(
  folder: string,
  model: TransformerConfig,
): Promise<ConversationAdapters> {
  const { readFile } = nodeModule('node:fs').promises;
  const { settings, arrays, sets } = await paths(folder);
  const text = await readFile(settings, 'utf8').catch(() => {
    throw new InputError(
      `'${folder}' holds no adapters of a memory: there is no ${SETTINGS}; make them with 'viability train-adapters'.`,
    );
  });
  const json = parseSettings(text, settings);
  // Adapters from before there was a prediction have none.
  const config = conversationConfig({ kvContext: 0, ...json.config });
  const { tensors } = await readSafetensors(arrays);
  const vector = (name: string): Float32Array => {
    const found = tensors.get(name);
    if (found?.data instanceof Float32Array) return found.data;
    throw new InputError(`${arrays} lacks '${name}'.`);
  };
  const template = headsInit(config, model.modelWidth, Rng.fromSeed(0));
  const heads = treeMap<NDArray, NDArray, typeof template>(template, ({ shape }, path) => {
    const found = tensors.get(`heads.${path}`);
    if (found?.data instanceof Float32Array && found.shape.join() === shape.join())
      return ndarray(found.data, shape);
    throw new InputError(
      `${arrays}: 'heads.${path}' has the shape [${found?.shape.join(', ') ?? ''}] and not [${shape.join(', ')}]; these adapters belong to another model.`,
    );
  });
  const standard = (side: string): FeatureStandard => ({
    centroid: new Standardiser(vector(`${side}.centroid.mean`), vector(`${side}.centroid.deviation`)),
    hidden: new Standardiser(vector(`${side}.hidden.mean`), vector(`${side}.hidden.deviation`)),
  });
  const leadIn = tensors.get('leadIn');
  const rowWidth = cachedRowWidth(model);
  if (config.leadIn !== '' && leadIn?.shape[1] !== rowWidth) {
    throw new InputError(
      `${arrays} lacks the keys and values of the lead-in, 'leadIn', of ${rowWidth} columns.`,
    );
  }
  const widths = fieldWidths(model.layers, 2 * model.keyValueHeads * model.headWidth);
  const prediction = predictionIn(tensors);
  if (json.sets && config.kvContext > 0 && !prediction) {
    throw new InputError(
      `${arrays} lacks the prediction of keys and values from ${config.kvContext} tokens that its records were made with.`,
    );
  }
  return {
    config,
    heads,
    memories: standard('memories'),
    queries: standard('queries'),
    rarity: WordRarity.fromJSON(json.rarity),
    ...(tensors.has('tokenWeights') && { tokenWeights: vector('tokenWeights') }),
    leadIn: leadIn?.data instanceof Float32Array ? ndarray(leadIn.data, leadIn.shape) : undefined,
    ...(json.sets && { rows: await KakeyaRows.load(sets, widths) }),
    ...(prediction && { prediction }),
  };
}

const PREDICTION = 'prediction';

function predictionTensors(maps: RowMaps | undefined): Record<string, SafeTensor> {
  if (!maps) return {};
  const halves = ({ data, shape }: NDArray): SafeTensor => ({
    data: floatsToHalves(Float32Array.from(data)),
    shape,
    dtype: 'F16',
  });
  const { map, offset, reading } = maps;
  const tensors: Record<string, SafeTensor> = {
    [`${PREDICTION}.map`]: halves(map),
    [`${PREDICTION}.offset`]: { data: Float32Array.from(offset.data), shape: offset.shape, dtype: 'F32' },
  };
  if (reading) tensors[`${PREDICTION}.reading`] = halves(reading);
  return tensors;
}

function predictionIn(tensors: ReadonlyMap<string, SafeTensor>): RowMaps | undefined {
  const array = (name: string): NDArray | undefined => {
    const found = tensors.get(`${PREDICTION}.${name}`);
    if (found?.data instanceof Uint16Array) return ndarray(halvesToFloats(found.data), found.shape);
    return found?.data instanceof Float32Array ? ndarray(found.data, found.shape) : undefined;
  };
  const [map, offset, reading] = [array('map'), array('offset'), array('reading')];
  return map && offset ? { map, offset, reading } : undefined;
}

const settingsSchema = z.object({
  version: z.literal(VERSION),
  config: z.record(z.string(), z.unknown()),
  rarity: z.object({ texts: z.number(), frequencies: z.array(z.tuple([z.string(), z.number()])) }),
  sets: z.boolean(),
});

function parseSettings(text: string, path: string): z.output<typeof settingsSchema> {
  const parsed = settingsSchema.safeParse(parseJson(text, path));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const place = issue.path.join('.');
  throw new InputError(
    `${path} holds no settings of a memory that this version reads: '${place}': ${issue.message}.`,
  );
}

import {
  formatShape,
  InputError,
  type NDArray,
  ndarray,
  nodeModule,
  readSafetensors,
  type SafeTensor,
  toNDArray,
  writeFileAtomically,
  writeSafetensors,
} from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { requireJsonFile } from '../pretrained/json-file.js';
import { openCheckpoint } from '../pretrained/open-checkpoint.js';
import {
  createLoraTransformer,
  type LoraParameters,
  type LoraTransformer,
  makeAdapters,
} from './lora-transformer.js';
import { type LoraSite, loraSites } from './sites.js';

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
/** Where a file of adapters keeps the name of the weights that they belong to. */
const BASE_ID = 'base_parameters_id';

/** Whether a folder holds adapters in the layout of PEFT, and no whole model. */
export function isAdapterFolder(folder: string): boolean {
  const { join } = nodeModule('node:path');
  const has = (name: string) => nodeModule('node:fs').existsSync(join(folder, name));
  return has(CONFIG) && !has('config.json');
}

const keyOf = ({ module }: LoraSite, part: 'A' | 'B') => `base_model.model.${module}.lora_${part}.weight`;

/**
 * Writes adapters as PEFT does: `adapter_config.json` and `adapter_model.safetensors`, float32.
 * @throws InputError for a folder that cannot be written.
 */
export async function saveAdapters(
  folder: string,
  { lora, options }: Pick<LoraTransformer, 'lora' | 'options'>,
  params: LoraParameters<NDArray>,
): Promise<void> {
  const { rank, alpha, targets, family, base } = lora;
  const sites = loraSites(family, options).filter(({ target }) => targets.includes(target));
  const tensors: Record<string, SafeTensor> = {};
  for (const site of sites) {
    const { a, b } = params.blocks[site.layer]![site.target]!;
    tensors[keyOf(site, 'A')] = { dtype: 'F32', shape: a.shape, data: a.data as Float32Array };
    tensors[keyOf(site, 'B')] = { dtype: 'F32', shape: b.shape, data: b.data as Float32Array };
  }
  const config: JsonObject = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base.folder,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    target_modules: [...new Set(sites.map(({ module }) => endOf(module)))],
    fan_in_fan_out: sites.some(({ transposed }) => transposed),
    bias: 'none',
    inference_mode: true,
    init_lora_weights: true,
    modules_to_save: null,
    layers_to_transform: null,
    layers_pattern: null,
    rank_pattern: {},
    alpha_pattern: {},
    use_rslora: false,
    use_dora: false,
  };
  const { join } = nodeModule('node:path');
  await nodeModule('node:fs')
    .promises.mkdir(folder, { recursive: true })
    .catch((error: Error) => {
      throw new InputError(`The folder '${folder}' cannot be made: ${error.message}.`);
    });
  const metadata = { format: 'pt', ...(base.parametersId !== undefined && { [BASE_ID]: base.parametersId }) };
  await writeSafetensors(join(folder, WEIGHTS), tensors, metadata);
  // Last, so that a folder with a configuration is a whole one.
  const text = `${JSON.stringify(config, null, 2)}\n`;
  await writeFileAtomically(join(folder, CONFIG), new TextEncoder().encode(text));
}

/** The end of a module's name that tells it from the others of a block: two words where one stands in both branches. */
function endOf(module: string): string {
  const words = module.split('.');
  return words.at(-1) === 'c_proj' ? words.slice(-2).join('.') : words.at(-1)!;
}

/** Adapters and their model, without the weights that they stand beside. */
export interface SavedAdapters {
  readonly model: LoraTransformer;
  /** On the host. */
  readonly params: LoraParameters<NDArray>;
}

/**
 * Reads adapters that PEFT or `saveAdapters` wrote. The weights that they stand beside are a folder or a GGUF file at the path
 * that `adapter_config.json` names, as seen from there or from the working folder.
 * @throws InputError for other adapters than LoRA with one rank for all layers, for tensors that do not fit, or without those
 * weights.
 */
export async function loadAdapters(folder: string): Promise<SavedAdapters> {
  const { join, resolve } = nodeModule('node:path');
  const source = join(folder, CONFIG);
  const stated = readConfig(await requireJsonFile(source, 'says what the adapters are'), source);
  const places = [resolve(folder, stated.base), resolve(stated.base)];
  const place = places.find((path) => nodeModule('node:fs').existsSync(path));
  if (place === undefined) {
    throw new InputError(
      `${source}: the adapters belong to '${stated.base}', which is no folder and no file here; write the path of that model as 'base_model_name_or_path'.`,
    );
  }
  const { files, family, config } = await openCheckpoint(place);
  await files.close();
  const path = join(folder, WEIGHTS);
  const { tensors, metadata } = await readSafetensors(path);
  const byKey = new Map([...tensors].map(([key, tensor]) => [key.replace('.default.', '.'), tensor]));
  const all = loraSites(family, config);
  const sites = sitesOf(byKey, all, path);
  const targets = [...new Set(sites.map(({ target }) => target))];
  const take = (site: LoraSite, part: 'A' | 'B', shape: readonly number[]): NDArray => {
    const key = keyOf(site, part);
    const tensor = byKey.get(key);
    if (tensor && formatShape(tensor.shape) === formatShape(shape))
      return ndarray(floats(tensor, key), shape);
    throw new InputError(
      `${path}: the tensor '${key}' has the shape ${formatShape(shape)} in such adapters, but ${tensor ? formatShape(tensor.shape) : 'nothing'} is there.`,
    );
  };
  const { rank, alpha } = stated;
  const lora = {
    rank,
    alpha,
    targets,
    family,
    base: { folder: place, parametersId: metadata[BASE_ID] },
  };
  return {
    model: createLoraTransformer(config, lora),
    params: makeAdapters(sites, config, (site) => ({
      a: take(site, 'A', [rank, site.inputs]),
      b: take(site, 'B', [site.outputs, rank]),
    })),
  };
}

const floats = (tensor: SafeTensor, key: string) => toNDArray(tensor, key).data as Float32Array;

/** The layers of a model that a file has adapters for, in all blocks. */
function sitesOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  all: readonly LoraSite[],
  path: string,
): LoraSite[] {
  const byKey = new Map(all.flatMap((site) => [[keyOf(site, 'A'), site] as const, [keyOf(site, 'B'), site]]));
  const unknown = [...tensors.keys()].find((key) => !byKey.has(key));
  if (unknown !== undefined) {
    throw new InputError(
      `${path}: the tensor '${unknown}' is no adapter of a linear layer of the model's blocks.`,
    );
  }
  const targets = new Set([...tensors.keys()].map((key) => byKey.get(key)!.target));
  if (targets.size === 0) throw new InputError(`${path} holds no adapters.`);
  return all.filter(({ target }) => targets.has(target));
}

/** What makes other adapters of them, unless it is empty. */
const OTHER_KINDS = [
  'use_dora',
  'use_qalora',
  'use_bdlora',
  'lora_bias',
  'modules_to_save',
  'layers_to_transform',
  'layer_replication',
  'rank_pattern',
  'alpha_pattern',
  'target_parameters',
  'trainable_token_indices',
  'alora_invocation_tokens',
  'arrow_config',
  'kasa_config',
  'monteclora_config',
  'velora_config',
];
/** Beginnings that leave the weights of the base as they are. */
const BEGINNINGS: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'orthogonal', 'eva'];

const isEmpty = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

function readConfig(json: JsonObject, source: string): { rank: number; alpha: number; base: string } {
  const { peft_type: type, r: rank, lora_alpha: stated, base_model_name_or_path: base } = json;
  const refuse = (key: string) =>
    new InputError(`${source}: the key '${key}' is ${JSON.stringify(json[key])}, which is not read.`);
  if (type !== 'LORA') throw refuse('peft_type');
  if (!Number.isInteger(rank) || (rank as number) < 1) throw refuse('r');
  if (!((stated as number) > 0)) throw refuse('lora_alpha');
  if (typeof base !== 'string') throw refuse('base_model_name_or_path');
  if (!isEmpty(json.bias) && json.bias !== 'none') throw refuse('bias');
  if (!BEGINNINGS.includes(json.init_lora_weights)) throw refuse('init_lora_weights');
  const other = OTHER_KINDS.find((key) => !isEmpty(json[key]));
  if (other !== undefined) throw refuse(other);
  // Rank-stabilised adapters count alpha / √rank times.
  const alpha =
    json.use_rslora === true ? (stated as number) * Math.sqrt(rank as number) : (stated as number);
  return { rank: rank as number, alpha, base };
}

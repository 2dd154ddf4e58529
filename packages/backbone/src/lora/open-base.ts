import { InputError, type NDArray, nodeModule, treeToRecord } from '@palimpsest/base';
import type { TransformerConfig } from '../config.js';
import type { TransformerParameters } from '../parameters.js';
import {
  type LoadOptions,
  loadFrozen,
  loadPretrained,
  type Pretrained,
  type PretrainedText,
} from '../pretrained/load-pretrained.js';
import { createTransformer } from '../transformer.js';
import { type LoraConfig, type LoraOptions, resolveLora } from './config.js';
import { createLoraTransformer, type LoraParameters, type LoraTransformer } from './lora-transformer.js';
import { loadAdapters } from './peft.js';
import { loraSites, loraTargets } from './sites.js';

/** Fresh adapters over a checkpoint folder or a GGUF file, ready to be trained. */
export interface LoraStart extends PretrainedText {
  readonly model: LoraTransformer;
  /** Adapters that were trained before, on the host. Default: fresh ones. */
  readonly params?: LoraParameters<NDArray> | undefined;
}

/** What of a model its weights leave open. */
type OpenOptions = LoadOptions & { readonly dropout?: number | undefined };

/**
 * Opens a checkpoint folder or a GGUF file for adapters beside it. Its weights stay where they are, or lie in files for the
 * time of the process where the runtime cannot read them there.
 * @param options cache and dropout of the model
 * @throws InputError for adapters that are wrong or have no layers, and as `loadFrozen` does.
 */
export async function openLoraStart(
  path: string,
  lora: LoraOptions,
  { dropout, ...options }: OpenOptions = {},
): Promise<LoraStart> {
  const chosen = resolveLora(lora);
  const {
    model,
    matrices,
    params,
    matrixBytes: _,
    dispose: _d,
    ...text
  } = await loadFrozen(path, '32bit', options);
  const { family, parametersId } = text;
  const folder = nodeModule('node:path').resolve(path);
  const targets = loraTargets(chosen.targets, loraSites(family, model.options));
  const config: LoraConfig = { ...chosen, targets, family, base: { folder, parametersId } };
  const own = { ...model.options, ...(dropout === undefined ? {} : { dropout }) };
  return { ...text, model: createLoraTransformer(own, config, { matrices, params }) };
}

/**
 * Opens adapters in the layout of PEFT to be trained further.
 * @throws InputError as `loadAdapters` and `openLoraStart` do, or when the weights have changed since they were trained.
 */
export async function openSavedLora(folder: string, options: OpenOptions = {}): Promise<LoraStart> {
  const { model, params } = await loadAdapters(folder);
  const { rank, alpha, targets, base } = model.lora;
  const start = await openLoraStart(base.folder, { rank, alpha, targets }, options);
  checkBase(model.lora, start.parametersId);
  return { ...start, params };
}

/**
 * The model with the weights that its adapters stand beside, which lie in files as long as the process runs.
 * @throws InputError when they are not where they were, or have changed.
 */
export async function withBase(model: LoraTransformer): Promise<LoraTransformer> {
  const { lora, options } = model;
  const { matrices, params, parametersId } = await openBase(lora, (folder) => loadFrozen(folder, '32bit'));
  checkBase(lora, parametersId);
  return createLoraTransformer(options, lora, { matrices, params });
}

/**
 * A plain transformer of the weights of the base with adapters added: W + (alpha / rank) B A. It is as fast as the base.
 * @param params of the adapters
 * @throws InputError when the base is not where it was, or has changed.
 */
export async function mergeLora(
  { lora, options }: Pick<LoraTransformer, 'lora' | 'options'>,
  params: LoraParameters<NDArray>,
  onProgress?: LoadOptions['onProgress'],
): Promise<Pretrained> {
  const base = await openBase(lora, (folder) => loadPretrained(folder, onProgress ? { onProgress } : {}));
  checkBase(lora, base.parametersId);
  addAdapters(base.params, options, lora, params);
  const parametersId = nameOf(base.parametersId, lora, params);
  return { ...base, parametersId, model: createTransformer(options) };
}

/** Adds adapters to weights, in place. */
function addAdapters(
  weights: TransformerParameters<NDArray>,
  config: TransformerConfig,
  { family, targets, alpha, rank }: LoraConfig,
  params: LoraParameters<NDArray>,
): void {
  const byPath = treeToRecord<NDArray>(weights);
  const scale = alpha / rank;
  for (const { target, layer, path, row, outputs, inputs } of loraSites(family, config)) {
    if (!targets.includes(target)) continue;
    const { a, b } = params.blocks[layer]![target]!;
    const matrix = byPath[path]!.data;
    const sums = new Float64Array(inputs);
    for (let output = 0; output < outputs; output++) {
      sums.fill(0);
      for (let r = 0; r < rank; r++) {
        const factor = scale * b.data[output * rank + r]!;
        for (let i = 0; i < inputs; i++) sums[i]! += factor * a.data[r * inputs + i]!;
      }
      const first = (row + output) * inputs;
      for (let i = 0; i < inputs; i++) matrix[first + i]! += sums[i]!;
    }
  }
}

/** Names merged weights by those of the base and the adapters. */
function nameOf(baseId: string, { alpha, rank }: LoraConfig, params: LoraParameters<NDArray>): string {
  const hash = nodeModule('node:crypto').createHash('sha256').update(`${baseId} ${alpha} ${rank}`);
  for (const [path, { data }] of Object.entries(treeToRecord<NDArray>(params))) {
    hash.update(path).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

async function openBase<T>({ base }: LoraConfig, load: (folder: string) => Promise<T>): Promise<T> {
  const { existsSync } = nodeModule('node:fs');
  if (existsSync(base.folder)) return load(base.folder);
  throw new InputError(
    `The adapters were trained beside the weights of '${base.folder}', where nothing stands any more; bring those back to that place.`,
  );
}

/** @throws InputError for weights that are other ones than the adapters were trained beside. */
function checkBase({ base }: LoraConfig, parametersId: string): void {
  if (base.parametersId === undefined || base.parametersId === parametersId) return;
  throw new InputError(
    `The weights of '${base.folder}' have changed since adapters were trained beside them, so the adapters no longer fit; bring the former ones back.`,
  );
}

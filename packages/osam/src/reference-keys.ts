import type { SketchTable } from '@palimpsest/sketch';
import { InputError, type NDArray, treeLeaves, treeMap } from '@palimpsest/tensor-core';
import type { OsamConfig } from './config.js';
import type { OsamParams } from './parameters.js';
import type { BlockTables } from './tables.js';

/** Tensors by name, as the reference's checkpoints hold them. */
export type NamedTensors = ReadonlyMap<string, Pick<NDArray, 'data' | 'shape'>>;

/** Our path inside a block and the reference's key inside it (DERIVATION.md, "Parameters"); options of our own keep our names. */
const blockKeys: Readonly<Record<string, string>> = {
  'query.weight': 'Wq.weight',
  'key.weight': 'Wk.weight',
  'value.weight': 'Wv.weight',
  thetaQuery: 'theta_q_raw',
  thetaKey: 'theta_k_raw',
  gateFeature: 'gate_feat_raw',
  gateValue: 'gate_val_raw',
  keyMix: 'key_mix_raw',
  'readout.hidden.weight': 'readout.0.weight',
  'readout.hidden.bias': 'readout.0.bias',
  'readout.output.weight': 'readout.3.weight',
  'readout.output.bias': 'readout.3.bias',
  'valueProjection.norm.gain': 'v_proj.0.weight',
  'valueProjection.norm.bias': 'v_proj.0.bias',
  'valueProjection.hidden.weight': 'v_proj.1.weight',
  'valueProjection.hidden.bias': 'v_proj.1.bias',
  'valueProjection.output.weight': 'v_proj.4.weight',
  'valueProjection.output.bias': 'v_proj.4.bias',
  'norm.gain': 'ln.weight',
  'norm.bias': 'ln.bias',
};

const modelKeys: Readonly<Record<string, string>> = {
  embedding: 'embed.weight',
  'head.weight': 'head.weight',
};

/** Prefix of a block's keys: `osam.` for a single block, `blocks.{l}.` in stacks. */
export function blockPrefix(config: Pick<OsamConfig, 'layers'>, block: number): string {
  return config.layers === 1 ? 'osam.' : `blocks.${block}.`;
}

/** The reference's key of a parameter path such as `blocks.0.query.weight`. */
export function referenceKey(path: string, config: Pick<OsamConfig, 'layers' | 'omegaMode'>): string {
  const inBlock = /^blocks\.(\d+)\.(.*)$/.exec(path);
  if (!inBlock) return modelKeys[path] ?? path;
  const [, block, name] = inBlock as unknown as [string, string, string];
  const omega = config.omegaMode === 'scalar' ? 'omega_raw' : 'omega';
  return blockPrefix(config, Number(block)) + (name === 'omega' ? omega : (blockKeys[name] ?? name));
}

/**
 * Fills a parameter tree from tensors named as in the reference's state dict.
 * @param template parameters of the configuration, for structure and shapes (`model.init`).
 * @throws InputError for a tensor that is missing, superfluous or of another shape.
 */
export function fromReferenceTensors(
  tensors: NamedTensors,
  template: OsamParams<NDArray>,
  config: OsamConfig,
): OsamParams<NDArray> {
  const unused = new Set(tensors.keys());
  const params = treeMap<NDArray, NDArray, OsamParams<NDArray>>(template, (leaf, path) => {
    const name = referenceKey(path, config);
    const tensor = tensors.get(name);
    if (!tensor) throw new InputError(`The checkpoint lacks '${name}', which this configuration needs.`);
    unused.delete(name);
    if (tensor.shape.join() !== leaf.shape.join()) {
      throw new InputError(
        `'${name}' has shape [${tensor.shape.join(', ')}], but this configuration needs [${leaf.shape.join(', ')}].`,
      );
    }
    return { data: Float32Array.from(tensor.data), shape: leaf.shape, dtype: 'float32' };
  });
  for (const name of unused) {
    if (/\.(cs|csK)\.(h|sign)$/.test(name)) continue;
    throw new InputError(`The checkpoint has '${name}', which this configuration does not know.`);
  }
  return params as OsamParams<NDArray>;
}

/** The hash tables that a checkpoint carries, one pair per block; `undefined` when it carries none. */
export function tablesFromReference(tensors: NamedTensors, config: OsamConfig): BlockTables[] | undefined {
  const tables = Array.from({ length: config.layers }, (_, block) => {
    const prefix = blockPrefix(config, block);
    const query = readTable(tensors, `${prefix}cs`, config);
    const key = config.featureHash === 'shared' ? query : readTable(tensors, `${prefix}csK`, config);
    return query && key ? { query, key } : undefined;
  });
  return tables.every((pair) => pair !== undefined) ? (tables as BlockTables[]) : undefined;
}

function readTable(tensors: NamedTensors, name: string, config: OsamConfig): SketchTable | undefined {
  const buckets = tensors.get(`${name}.h`);
  const sign = tensors.get(`${name}.sign`);
  if (!buckets || !sign) return undefined;
  const index = Int32Array.from(buckets.data);
  const wrong = index.findIndex((bucket) => bucket < 0 || bucket >= config.sketchDim);
  if (index.length !== config.dModel || sign.data.length !== config.dModel || wrong >= 0) {
    throw new InputError(
      `The hash table '${name}' does not fit dModel ${config.dModel} and sketchDim ${config.sketchDim}.`,
    );
  }
  return { dim: config.dModel, sketchDim: config.sketchDim, index, sign: Float32Array.from(sign.data) };
}

/** Parameters and hash tables under the reference's names. */
export function toReferenceTensors(
  params: OsamParams<NDArray>,
  config: OsamConfig,
  tables: readonly BlockTables[],
): Map<string, NDArray> {
  const named = new Map<string, NDArray>(
    treeLeaves<NDArray>(params).map(({ path, leaf }) => [referenceKey(path, config), leaf]),
  );
  tables.forEach(({ query, key }, block) => {
    const prefix = blockPrefix(config, block);
    const add = (name: string, table: SketchTable) => {
      named.set(`${prefix}${name}.h`, { data: table.index, shape: [table.dim], dtype: 'int32' });
      named.set(`${prefix}${name}.sign`, { data: table.sign, shape: [table.dim], dtype: 'float32' });
    };
    add('cs', query);
    if (config.featureHash === 'independent') add('csK', key);
  });
  return named;
}

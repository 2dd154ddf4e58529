import { InputError, kaimingUniform, type NDArray, type Rng, tf, zeros } from '@palimpsest/tensor-core';
import { type CacheOptions, resolveConfig, type TransformerConfig } from '../config.js';
import { type FrozenMatrices, type OtherParameters, withMatrices } from '../frozen-transformer.js';
import type { Affine, BlockParameters, TransformerParameters } from '../parameters.js';
import { type Transformer, transformerOver } from '../transformer.js';
import type { LoraConfig } from './config.js';
import { type LoraSite, loraSites } from './sites.js';

/** One adapter: A `[rank, in]`, B `[out, rank]`. */
export type LoraAdapter<T = tf.Tensor> = { readonly a: T; readonly b: T };
/** Adapters by the names of their layers, block by block. */
export type LoraParameters<T = tf.Tensor> = {
  readonly blocks: readonly Readonly<Record<string, LoraAdapter<T>>>[];
};

/** The weights that adapters stand beside: they never change. */
export interface LoraBase {
  readonly matrices: FrozenMatrices;
  /** What is no matrix, on the host. */
  readonly params: OtherParameters<NDArray>;
}

/** A transformer whose parameters are adapters beside frozen weights (Hu et al. 2021). */
export interface LoraTransformer extends Transformer<LoraParameters> {
  readonly lora: LoraConfig;
  withCache(cache: CacheOptions): LoraTransformer;
}

/** Whether a model consists of adapters. */
export const isLora = (model: object): model is LoraTransformer => 'lora' in model;

/**
 * A transformer of adapters: an affine map of the base becomes W x + (alpha / rank) B A x. A begins uniform in ±1 / √in, B
 * with zeros, so that the model begins as its base.
 * @param options those of the base, with a cache and dropout as wanted
 * @param base its weights; without them the model can be described, begun and saved, but not run
 * @throws InputError for weights that are missing or have other sizes.
 */
export function createLoraTransformer(
  options: TransformerConfig,
  lora: LoraConfig,
  base?: LoraBase,
): LoraTransformer {
  const config = resolveConfig(options);
  const sites = loraSites(lora.family, config).filter(({ target }) => lora.targets.includes(target));
  const frozen = base && withMatrices(config, base.matrices);
  const complete = (params: LoraParameters) => {
    if (!frozen) {
      throw new InputError(
        'These are adapters without the weights that they stand beside: open those first.',
      );
    }
    const others = Object.entries(base!.params).map(([path, { data, shape }]) => [
      path,
      tf.tensor(data as Float32Array, [...shape], 'float32'),
    ]);
    return withAdapters(frozen(Object.fromEntries(others)), params, sites, lora);
  };
  const model = transformerOver(config, complete, (rng) => initAdapters(sites, config, lora, rng));
  return {
    ...model,
    lora,
    config: { ...model.config, lora },
    parameterGroups: () => [],
    withCache: (cache) => createLoraTransformer(model.withCache(cache).options, lora, base),
  };
}

function withAdapters<M>(
  weights: TransformerParameters<tf.Tensor, M>,
  params: LoraParameters,
  sites: readonly LoraSite[],
  { alpha, rank }: LoraConfig,
): TransformerParameters<tf.Tensor, M> {
  const blocks = weights.blocks.map((block, layer) => {
    const adapted = (name: keyof BlockParameters, affine: Affine<tf.Tensor, M>): Affine<tf.Tensor, M> => {
      const own = sites.filter(({ path }) => path === `blocks.${layer}.${name}.weight`);
      if (own.length === 0) return affine;
      const adapters = own.map(({ target, row, outputs }) => ({
        row,
        rows: outputs,
        scale: alpha / rank,
        ...params.blocks[layer]![target]!,
      }));
      return { ...affine, adapters };
    };
    return {
      ...block,
      queryKeyValue: adapted('queryKeyValue', block.queryKeyValue),
      output: adapted('output', block.output),
      up: adapted('up', block.up),
      down: adapted('down', block.down),
    };
  });
  return { ...weights, blocks };
}

/** The bound 1 / √in is Kaiming's for a slope of √5 on the negative side. */
const GAIN = Math.sqrt(2 / (1 + 5));

/** The parameters of adapters, each made from its layer. */
export function makeAdapters<T>(
  sites: readonly LoraSite[],
  { layers }: TransformerConfig,
  make: (site: LoraSite) => LoraAdapter<T>,
): LoraParameters<T> {
  return {
    blocks: Array.from({ length: layers }, (_, layer) =>
      Object.fromEntries(
        sites.filter((site) => site.layer === layer).map((site) => [site.target, make(site)]),
      ),
    ),
  };
}

function initAdapters(
  sites: readonly LoraSite[],
  config: TransformerConfig,
  { rank }: LoraConfig,
  rng: Rng,
): LoraParameters<NDArray> {
  return makeAdapters(sites, config, ({ inputs, outputs }) => ({
    a: kaimingUniform(rng, [rank, inputs], GAIN),
    b: zeros([outputs, rank]),
  }));
}

import {
  decodeSafetensors,
  encodeSafetensors,
  fromNDArray,
  InputError,
  type NDArray,
  Rng,
  toNDArray,
  treeLeaves,
} from '@palimpsest/tensor-core';
import type { RsmConfig, RsmOptions } from '../config.js';
import { initLegacy, type LegacyParams, legacyReferenceKey } from '../legacy/parameters.js';
import { initParameters, type RsmParams } from '../parameters.js';
import { fromReferenceTensors, type NamedTensors, referenceKey } from '../reference-keys.js';
import { isLegacy, referenceConfigOf, syncKeyOf, toReferenceConfig } from './reference-options.js';

/** Parameters of either generation of the model, on the host. */
export type HostParams = RsmParams<NDArray> | LegacyParams<NDArray>;

export interface ReferenceFile {
  readonly config: RsmConfig;
  readonly params: HostParams;
  /** Losses and accuracies per epoch and whatever else was stored beside the weights. */
  readonly history: Readonly<Record<string, unknown>>;
}

export interface WriteReferenceOptions {
  /** Losses and accuracies per epoch. Default none. */
  readonly history?: Readonly<Record<string, unknown>>;
  /** Store the tied head a second time as `head.weight`, as the reference does. Default false. */
  readonly headWeight?: boolean;
}

/**
 * Weights under the reference's names as the bytes of a safetensors file, the sync under `sync.`. The metadata holds
 * `config` by the reference's names, `options`, every option of ours, and `history`.
 */
export function writeReferenceFile(
  config: RsmConfig,
  params: HostParams,
  options: WriteReferenceOptions = {},
): Uint8Array {
  const tensors = Object.fromEntries(
    treeLeaves<NDArray>(params).map(({ path, leaf }) => [storedKey(config, path), fromNDArray(leaf)]),
  );
  if (options.headWeight) tensors['head.weight'] = fromNDArray(params.tokenEmbedding);
  return encodeSafetensors(tensors, {
    config: JSON.stringify(toReferenceConfig(config)),
    options: JSON.stringify(config),
    history: JSON.stringify(options.history ?? {}),
  });
}

/**
 * Reads weights under the reference's names: files of ours with every option, or the reference's state dict saved as
 * safetensors, of the first generation too. `pos_emb.pe` is recomputed and `head.weight` is the embedding.
 * @param options what the file does not say, or what shall differ: `numHeads` above all, or another wiring's preset.
 * @param source name for messages, such as the file's path.
 * @throws InputError for weights that are missing or do not fit, a head that is not tied, or an unknown number of heads.
 */
export function readReferenceFile(
  bytes: Uint8Array,
  options: Partial<RsmOptions> = {},
  source = 'This data',
): ReferenceFile {
  const { tensors: stored, metadata } = decodeSafetensors(bytes, source);
  const tensors: NamedTensors = new Map(
    [...stored].map(([name, tensor]) => {
      const { shape, data } = toNDArray(tensor, name);
      return [name, { shape, data }] as const;
    }),
  );
  checkHead(tensors, source);
  const ours = parse(metadata.options, source) as Partial<RsmOptions>;
  const config = referenceConfigOf(tensors, parse(metadata.config, source), { ...ours, ...options });
  const template = isLegacy(tensors)
    ? initLegacy(config, Rng.fromSeed(0))
    : initParameters(config, Rng.fromSeed(0));
  const params = fromReferenceTensors<HostParams>(tensors, template, (path) => {
    const key = keyOf(config, path);
    return path.startsWith('sync.') ? (syncKeyOf(tensors, key) ?? key) : key;
  });
  return { config, params, history: parse(metadata.history, source) };
}

const keyOf = (config: RsmConfig, path: string) =>
  config.preset === 'legacy' ? legacyReferenceKey(path) : referenceKey(path);

const storedKey = (config: RsmConfig, path: string) =>
  path.startsWith('sync.') ? `sync.${keyOf(config, path)}` : keyOf(config, path);

function checkHead(tensors: NamedTensors, source: string): void {
  const head = tensors.get('head.weight');
  const embedding = tensors.get('tok_emb.weight');
  if (!head || !embedding) return;
  const isTied =
    head.data.length === embedding.data.length &&
    Array.prototype.every.call(head.data, (value, index) => value === embedding.data[index]);
  if (isTied) return;
  throw new InputError(
    `${source} has a 'head.weight' that differs from 'tok_emb.weight', but the head of an RSM is its embedding.`,
  );
}

function parse(text: string | undefined, source: string): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new InputError(`${source} has metadata that is not valid JSON.`);
  }
}

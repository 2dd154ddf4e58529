import { InputError } from '@palimpsest/base';
import type { TransformerConfig } from '../config.js';
import type { Family } from '../pretrained/checkpoint-config.js';
import { weightMap } from '../pretrained/weight-map.js';

/** A linear layer of a checkpoint that can have an adapter. */
export interface LoraSite {
  /** Name of the layer in all blocks, as `q`. */
  readonly target: string;
  /** Block, counted from 0. */
  readonly layer: number;
  /** Module of the layer in checkpoints, as `model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  /** Path of the weight whose rows it is, as `blocks.0.queryKeyValue.weight`. */
  readonly path: string;
  /** First of its rows there. */
  readonly row: number;
  readonly outputs: number;
  readonly inputs: number;
  /** Whether checkpoints have inputs as rows. */
  readonly transposed: boolean;
}

/** Layers by the ends of their modules. GPT-2 has one layer for queries, keys and values. */
const TARGETS: Readonly<Record<string, string>> = {
  'self_attn.q_proj': 'q',
  'self_attn.k_proj': 'k',
  'self_attn.v_proj': 'v',
  'self_attn.o_proj': 'o',
  'attn.c_attn': 'qkv',
  'attn.c_proj': 'o',
  'mlp.gate_proj': 'gate',
  'mlp.up_proj': 'up',
  'mlp.c_fc': 'up',
  'mlp.down_proj': 'down',
  'mlp.c_proj': 'down',
};

/** Names of several layers. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  attention: ['q', 'k', 'v', 'qkv', 'o'],
  mlp: ['gate', 'up', 'down'],
};

/** What stands before the modules of a whole model. */
const PREFIXES: Partial<Record<Family, string>> = { gpt2: 'transformer.' };

/** Every linear layer of the blocks of a model, block by block. */
export function loraSites(family: Family, config: TransformerConfig): LoraSite[] {
  return weightMap(family, config, PREFIXES[family] ?? 'model.').flatMap((entry) => {
    const { key, shape, path, row = 0, transposed = false } = entry;
    const [, layer, end] = /(?:layers|h)\.(\d+)\.(.+)\.weight$/.exec(key) ?? [];
    const target = TARGETS[end ?? ''];
    if (target === undefined) return [];
    const [outputs, inputs] = (transposed ? [...shape].reverse() : shape) as [number, number];
    const module = key.slice(0, -'.weight'.length);
    return [{ target, layer: Number(layer), module, path, row, outputs, inputs, transposed }];
  });
}

/**
 * The layers that names stand for, in the order of the model: layers as `q`, their modules as `q_proj`, `attention` and `mlp`.
 * @throws InputError for no name, and for one that stands for none of the layers.
 */
export function loraTargets(names: readonly string[], sites: readonly LoraSite[]): string[] {
  const known = [...new Set(sites.map(({ target }) => target))];
  const moduleOf = (target: string) =>
    sites
      .find((site) => site.target === target)!
      .module.split('.')
      .at(-1);
  const chosen = names.flatMap((name) => {
    const meant = known.filter(
      (target) => target === name || GROUPS[name]?.includes(target) || moduleOf(target) === name,
    );
    if (meant.length > 0) return meant;
    throw new InputError(
      `'${name}' names no layers of this model that can have adapters; it has ${known.join(', ')}, together attention and mlp.`,
    );
  });
  if (chosen.length === 0) {
    throw new InputError('Adapters need at least one kind of layers: attention, mlp, or single ones as q.');
  }
  return known.filter((target) => chosen.includes(target));
}

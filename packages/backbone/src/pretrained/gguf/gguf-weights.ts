import { InputError } from '@palimpsest/base';
import type { TransformerConfig } from '../../config.js';
import type { Family } from '../checkpoint-config.js';
import { type WeightEntry, weightMap } from '../weight-map.js';

/** Names in a GGUF file of what stands outside of the layers. */
const outer: Readonly<Record<string, string>> = {
  embed_tokens: 'token_embd',
  wte: 'token_embd',
  wpe: 'position_embd',
  norm: 'output_norm',
  ln_f: 'output_norm',
  lm_head: 'output',
};

/** Names of what a layer has. */
const inner: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  ln_1: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  ln_2: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
};
/** What they are where branches have norms before and behind them. */
const sandwich: Readonly<Record<string, string>> = {
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};

/** Families whose files have the rows of queries and keys as pairs of neighbours. */
const interleavedFamilies: readonly Family[] = ['llama', 'mistral', 'smollm3'];

/**
 * All tensors that a model needs from a GGUF file. Their contents are those of the family's own checkpoints, but for the
 * order of rows that are rotated together, and for gains, which are complete; outputs are rows everywhere.
 */
export function ggufWeights(family: Family, config: TransformerConfig): WeightEntry[] {
  const isInterleaved = interleavedFamilies.includes(family);
  return weightMap(family, config, '').map(({ key, shape, path, row, transposed }) => ({
    key: ggufKey(key, config),
    shape: transposed ? [...shape].reverse() : shape,
    path,
    ...(row !== undefined && { row }),
    ...(isInterleaved && /\.(q|k)_proj\./.test(key) && { interleaved: config.headWidth }),
  }));
}

function ggufKey(key: string, { sandwichNorms }: TransformerConfig): string {
  const [, layer, name, kind] = /^(?:(?:layers|h)\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(key)!;
  const names = layer === undefined ? outer : sandwichNorms ? { ...inner, ...sandwich } : inner;
  const known = names[name!];
  if (known === undefined) throw new InputError(`There is no name for '${key}' in a GGUF file.`);
  return `${layer === undefined ? '' : `blk.${layer}.`}${known}.${kind}`;
}

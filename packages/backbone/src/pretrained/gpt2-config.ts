import type { JsonObject } from '@palimpsest/lm';
import { z } from 'zod';
import type { CheckpointConfig } from './checkpoint-config.js';
import { count, ids, layerCount, listOf, parseConfig } from './config-schema.js';

const schema = z.object({
  vocab_size: count,
  n_positions: count,
  n_embd: count,
  n_layer: layerCount,
  n_head: count,
  n_inner: count.nullish(),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(['gelu_new', 'gelu_pytorch_tanh', 'gelu']).default('gelu_new'),
  tie_word_embeddings: z.boolean().nullish(),
  scale_attn_weights: z.literal(true).default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  eos_token_id: ids,
});

/** Names of other families that `transformers` takes for GPT-2's own. */
const names: Readonly<Record<string, string>> = {
  n_positions: 'max_position_embeddings',
  n_embd: 'hidden_size',
  n_layer: 'num_hidden_layers',
  n_head: 'num_attention_heads',
};

/** The file under GPT-2's own names. */
function ownNames(json: JsonObject): JsonObject {
  const renamed = Object.entries(names).filter(
    ([own, other]) => json[own] === undefined && json[other] !== undefined,
  );
  return { ...json, ...Object.fromEntries(renamed.map(([own, other]) => [own, json[other]])) };
}

/** GPT-2 (Radford et al. 2019). */
export function gpt2Config(json: JsonObject, source: string): CheckpointConfig {
  const raw = parseConfig(schema, ownNames(json), source);
  return {
    family: 'gpt2',
    endIds: listOf(raw.eos_token_id),
    statesHead: true,
    options: {
      vocabSize: raw.vocab_size,
      context: raw.n_positions,
      layers: raw.n_layer,
      heads: raw.n_head,
      modelWidth: raw.n_embd,
      mlpWidth: raw.n_inner ?? 4 * raw.n_embd,
      positions: 'learned',
      norm: 'layer',
      normEpsilon: raw.layer_norm_epsilon,
      activation: raw.activation_function === 'gelu' ? 'gelu' : 'geluTanh',
      queryKeyValueBias: true,
      outputBias: true,
      mlpBias: true,
      tiedHead: raw.tie_word_embeddings ?? true,
    },
  };
}

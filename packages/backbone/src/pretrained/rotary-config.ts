import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { z } from 'zod';
import type { TransformerOptions } from '../config.js';
import type { CheckpointConfig, Family } from './checkpoint-config.js';
import { count, flag, ids, layerCount, listOf, parseConfig } from './config-schema.js';
import { isObject } from './json-file.js';
import { ropeOf, type UsualBases } from './rope-config.js';

export type RotaryFamily = Exclude<Family, 'gpt2'>;

const layerTypes = ['full_attention', 'sliding_attention'] as const;

const schema = z.object({
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: layerCount,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  intermediate_size: count,
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.enum(['silu', 'gelu_pytorch_tanh']).optional(),
  hidden_activation: z.enum(['silu', 'gelu_pytorch_tanh']).optional(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: flag,
  mlp_bias: flag,
  use_sliding_window: flag,
  sliding_window: count.nullish(),
  max_window_layers: z.int().min(0).nullish(),
  sliding_window_pattern: count.default(6),
  layer_types: z.array(z.enum(layerTypes)).nullish(),
  no_rope_layers: z.array(z.int()).nullish(),
  no_rope_layer_interval: count.default(4),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.null().optional(),
  final_logit_softcapping: z.null().optional(),
  use_bidirectional_attention: z.literal(false).nullish(),
  partial_rotary_factor: z.literal(1).nullish(),
  eos_token_id: ids,
});
type Raw = z.output<typeof schema>;

/** What the files of a family leave out because it is usual there. */
const usual: Readonly<Record<RotaryFamily, JsonObject>> = {
  llama: {},
  qwen2: {},
  qwen3: { head_dim: 128 },
  mistral: { num_key_value_heads: 8, sliding_window: 4096 },
  smollm3: {},
  gemma3: {
    vocab_size: 262208,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 131072,
    sliding_window: 4096,
    hidden_activation: 'gelu_pytorch_tanh',
  },
};
export function usualBases(family: RotaryFamily): UsualBases {
  if (family === 'gemma3') return { rotaryBase: 1_000_000, localRotaryBase: 10_000 };
  return { rotaryBase: family === 'smollm3' ? 2_000_000 : 10_000 };
}

/** Families whose head is the embedding table unless they say otherwise. */
const tied: readonly RotaryFamily[] = ['smollm3', 'gemma3'];

/**
 * The families with rotary positions, RMS norms and a gated MLP: Llama and Mistral, SmolLM3 (Llama with layers that leave
 * positions out), Qwen2 (biases of queries, keys and values), Qwen3 (norms of queries and keys), Gemma 3 (those, norms of
 * what a branch adds, local layers, scaled embeddings).
 */
export function rotaryConfig(family: RotaryFamily, json: JsonObject, source: string): CheckpointConfig {
  const flat = { ...usual[family], ...languageModelOf(json) };
  const raw = parseConfig(schema, flat, source);
  checkLists(raw, source);
  const heads = raw.num_attention_heads;
  const headWidth = raw.head_dim ?? raw.hidden_size / heads;
  // Mistral has no biases, whatever its files say.
  const biased = family === 'qwen2' || (raw.attention_bias && family !== 'mistral');
  const isGemma = family === 'gemma3';
  return {
    family,
    endIds: listOf(raw.eos_token_id),
    statesHead: typeof raw.tie_word_embeddings === 'boolean',
    options: {
      vocabSize: raw.vocab_size,
      context: raw.max_position_embeddings,
      layers: raw.num_hidden_layers,
      heads,
      keyValueHeads: raw.num_key_value_heads ?? heads,
      modelWidth: raw.hidden_size,
      headWidth: raw.head_dim ?? undefined,
      mlpWidth: raw.intermediate_size,
      positions: 'rotary',
      ...ropeOf(flat, headWidth, raw.max_position_embeddings, usualBases(family), source),
      ...layersOf(family, raw, source),
      norm: 'rms',
      normEpsilon: raw.rms_norm_eps,
      activation: activationOf(raw, source),
      queryKeyValueBias: biased,
      outputBias: biased && family !== 'qwen2',
      mlpBias: raw.mlp_bias && (family === 'llama' || family === 'smollm3'),
      tiedHead: raw.tie_word_embeddings ?? tied.includes(family),
      queryKeyNorm: family === 'qwen3' || isGemma,
      ...(isGemma && {
        sandwichNorms: true,
        embeddingScale: Math.sqrt(raw.hidden_size),
        attentionScale: 1 / Math.sqrt(raw.query_pre_attn_scalar),
      }),
    },
  };
}

/** The language model of a file that describes others beside it, such as one that sees. */
function languageModelOf(json: JsonObject): JsonObject {
  const { text_config: text, ...rest } = json;
  if (!isObject(text)) return json;
  const { eos_token_id, tie_word_embeddings } = rest;
  return {
    ...(tie_word_embeddings !== undefined && { tie_word_embeddings }),
    ...text,
    // Those of the whole count: the part often keeps one id of several, or what its family had at first.
    ...(eos_token_id !== undefined && eos_token_id !== null && { eos_token_id }),
  };
}

function activationOf(raw: Raw, source: string): TransformerOptions['activation'] {
  const stated = raw.hidden_activation ?? raw.hidden_act ?? 'silu';
  if (raw.hidden_activation && raw.hidden_act && raw.hidden_act !== raw.hidden_activation) {
    throw new InputError(
      `${source}: the keys 'hidden_act' and 'hidden_activation' contradict each other: ${raw.hidden_act} and ${raw.hidden_activation}.`,
    );
  }
  return stated === 'silu' ? 'swiglu' : 'geglu';
}

function checkLists(raw: Raw, source: string): void {
  for (const key of ['layer_types', 'no_rope_layers'] as const) {
    const list = raw[key];
    if (!list || list.length === raw.num_hidden_layers) continue;
    throw new InputError(
      `${source}: the key '${key}' has ${list.length} entries for ${raw.num_hidden_layers} layers.`,
    );
  }
}

/** Families whose window counts only where `use_sliding_window` says so. */
const asked: readonly RotaryFamily[] = ['qwen2', 'qwen3', 'smollm3'];

/** @throws InputError for layers that shall see a window where there is none. */
function checkWindow(family: RotaryFamily, raw: Raw, source: string): void {
  const layer = raw.layer_types?.indexOf('sliding_attention') ?? -1;
  if (layer < 0) return;
  const isOff = asked.includes(family) && !raw.use_sliding_window;
  if (raw.sliding_window && !isOff) return;
  throw new InputError(
    `${source}: the key 'layer_types' says that layer ${layer} has sliding_attention, but ${
      raw.sliding_window ? "'use_sliding_window' is not true" : "there is no 'sliding_window'"
    }.`,
  );
}

/** Which layers see a window only, and which leave positions out. */
function layersOf(
  family: RotaryFamily,
  raw: Raw,
  source: string,
): Pick<TransformerOptions, 'localLayers' | 'localWindow' | 'unrotatedLayers'> {
  const layers = Array.from({ length: raw.num_hidden_layers }, (_, layer) => layer);
  const turns = (layer: number) =>
    raw.no_rope_layers ? raw.no_rope_layers[layer] !== 0 : (layer + 1) % raw.no_rope_layer_interval !== 0;
  const unrotatedLayers = family === 'smollm3' ? layers.filter((layer) => !turns(layer)) : [];
  const window = raw.sliding_window;
  const fromLayer = raw.max_window_layers ?? 28;
  const mayBeLocal: Readonly<Record<RotaryFamily, (layer: number) => boolean>> = {
    llama: () => false,
    mistral: () => true,
    qwen2: (layer) => raw.use_sliding_window && layer >= fromLayer,
    qwen3: (layer) => raw.use_sliding_window && layer >= fromLayer,
    smollm3: (layer) => raw.use_sliding_window && !turns(layer),
    gemma3: (layer) => (layer + 1) % raw.sliding_window_pattern !== 0,
  };
  checkWindow(family, raw, source);
  const isLocal = (layer: number) =>
    raw.layer_types ? raw.layer_types[layer] === 'sliding_attention' : mayBeLocal[family](layer);
  const localLayers = window ? layers.filter(isLocal) : [];
  return {
    ...(unrotatedLayers.length > 0 && { unrotatedLayers }),
    ...(window && localLayers.length > 0 && { localLayers, localWindow: window }),
  };
}

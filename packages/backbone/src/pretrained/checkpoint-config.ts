import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { z } from 'zod';
import type { RotaryScaling, TransformerOptions } from '../config.js';
import { isObject } from './json-file.js';

/** Architectures whose checkpoints can be read, by the `model_type` of their config.json. */
export const families = ['gpt2', 'qwen2', 'llama'] as const;
export type Family = (typeof families)[number];

export interface CheckpointConfig {
  readonly family: Family;
  /** The architecture; says nothing about the cache. */
  readonly options: TransformerOptions;
  /** Ids that end a text, as config.json states them. */
  readonly endIds: readonly number[];
}

const count = z.int().min(1);
const ids = z.union([z.int(), z.array(z.int())]).nullish();

const gpt2Schema = z.object({
  vocab_size: count,
  n_positions: count,
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_inner: count.nullish(),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(['gelu_new', 'gelu_pytorch_tanh', 'gelu']).default('gelu_new'),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.literal(true).default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  eos_token_id: ids,
});

const rotarySchema = z.object({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: count.optional(),
});

const rotaryFamilySchema = z.object({
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  intermediate_size: count,
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.literal('silu').default('silu'),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rotarySchema.nullish(),
  /** Where newer files keep what `rope_theta` and `rope_scaling` were. */
  rope_parameters: rotarySchema.nullish(),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  use_sliding_window: z.literal(false).default(false),
  eos_token_id: ids,
});

/**
 * Reads a config.json.
 * @param source path of the file, for messages
 * @throws InputError naming the file and the key that is missing, wrong or asks for something that is not supported.
 */
export function parseCheckpointConfig(json: JsonObject, source: string): CheckpointConfig {
  const type = json.model_type;
  const family = families.find((name) => name === type);
  if (!family) {
    throw new InputError(
      `${source}: the model_type ${JSON.stringify(type)} is not supported; supported are ${families.join(', ')}.`,
    );
  }
  refuseQuantised(json, source);
  return family === 'gpt2' ? gpt2(json, source) : rotaryFamily(family, json, source);
}

/** @throws InputError naming the method of quantised weights, whose numbers mean nothing without it. */
function refuseQuantised({ quantization_config: quantization }: JsonObject, source: string): void {
  if (!isObject(quantization)) return;
  const { quant_method: method, bits } = quantization;
  const how = [
    typeof method === 'string' ? ` by ${method}` : '',
    typeof bits === 'number' ? ` to ${bits} bits` : '',
  ];
  throw new InputError(
    `${source}: the key 'quantization_config' says that the weights are quantised${how.join('')}, which is not read; use the checkpoint that they were made from.`,
  );
}

function parse<S extends z.ZodType>(schema: S, json: JsonObject, source: string): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const key = issue.path.join('.');
  const given = issue.path.reduce<unknown>((value, part) => (value as JsonObject)?.[part as string], json);
  throw new InputError(
    `${source}: the key '${key}' is ${given === undefined ? 'missing' : `${JSON.stringify(given)}, which is not supported`}: ${issue.message}.`,
  );
}

const listOf = (value: number | number[] | null | undefined): number[] =>
  typeof value === 'number' ? [value] : (value ?? []);

function gpt2(json: JsonObject, source: string): CheckpointConfig {
  const raw = parse(gpt2Schema, json, source);
  return {
    family: 'gpt2',
    endIds: listOf(raw.eos_token_id),
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
      tiedHead: raw.tie_word_embeddings,
    },
  };
}

function rotaryFamily(family: 'qwen2' | 'llama', json: JsonObject, source: string): CheckpointConfig {
  const raw = parse(rotaryFamilySchema, json, source);
  const isLlama = family === 'llama';
  return {
    family,
    endIds: listOf(raw.eos_token_id),
    options: {
      vocabSize: raw.vocab_size,
      context: raw.max_position_embeddings,
      layers: raw.num_hidden_layers,
      heads: raw.num_attention_heads,
      keyValueHeads: raw.num_key_value_heads ?? raw.num_attention_heads,
      modelWidth: raw.hidden_size,
      ...(raw.head_dim && { headWidth: raw.head_dim }),
      mlpWidth: raw.intermediate_size,
      positions: 'rotary',
      rotaryBase: raw.rope_theta ?? raw.rope_parameters?.rope_theta ?? 10000,
      rotaryScaling: scalingOf(raw.rope_scaling ?? raw.rope_parameters, source),
      norm: 'rms',
      normEpsilon: raw.rms_norm_eps,
      activation: 'swiglu',
      queryKeyValueBias: isLlama ? raw.attention_bias : true,
      outputBias: isLlama && raw.attention_bias,
      mlpBias: isLlama && raw.mlp_bias,
      tiedHead: raw.tie_word_embeddings,
    },
  };
}

function scalingOf(
  raw: z.output<typeof rotarySchema> | null | undefined,
  source: string,
): RotaryScaling | null {
  const type = raw?.rope_type ?? raw?.type ?? 'default';
  if (!raw || type === 'default') return null;
  const need = (
    key: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings',
  ) => {
    const value = raw[key];
    if (value !== undefined) return value;
    throw new InputError(`${source}: the key 'rope_scaling.${key}' is missing for the type '${type}'.`);
  };
  if (type === 'linear') return { kind: 'linear', factor: need('factor') };
  if (type === 'llama3') {
    return {
      kind: 'llama3',
      factor: need('factor'),
      lowFrequencyFactor: need('low_freq_factor'),
      highFrequencyFactor: need('high_freq_factor'),
      originalContext: need('original_max_position_embeddings'),
    };
  }
  throw new InputError(
    `${source}: the key 'rope_scaling' has the type '${type}', which is not supported; supported are default, linear, llama3.`,
  );
}

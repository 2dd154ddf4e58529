import {
  InputError,
  type NDArray,
  nodeModule,
  type SafeTensor,
  treeToRecord,
  writeFileAtomically,
  writeSafetensors,
} from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { resolveConfig, type TransformerConfig } from '../config.js';
import type { TransformerParameters } from '../parameters.js';
import { parseCheckpointConfig } from './checkpoint-config.js';
import { type WeightEntry, weightMap } from './weight-map.js';

/** Families whose folders can be written. */
export const writableFamilies = ['gpt2', 'qwen2', 'llama'] as const;
export type WritableFamily = (typeof writableFamilies)[number];

export interface SavedModel {
  readonly family: WritableFamily;
  readonly model: { readonly options: TransformerConfig };
  readonly params: TransformerParameters<NDArray>;
  /** Contents of tokenizer.json; without it the folder reads ids only. */
  readonly tokenizer?: JsonObject;
  /** Contents of tokenizer_config.json. */
  readonly tokenizerConfig?: JsonObject;
  /** Ids that end a text. */
  readonly endIds?: readonly number[];
}

/** What does not belong to an architecture: how it is cached, and how it is trained. */
const NO_ARCHITECTURE = new Set(['window', 'sinks', 'capacity', 'evictable', 'dropout']);

/**
 * Writes a checkpoint folder that `loadPretrained` and other libraries read: config.json, model.safetensors in float32 and, when there is
 * one, tokenizer.json. The reverse of `loadPretrained`.
 * @throws InputError for a model that the family's folders cannot describe, or a folder that cannot be written.
 */
export async function saveFolder(folder: string, saved: SavedModel): Promise<void> {
  const { family, model, params, tokenizer, tokenizerConfig, endIds = [] } = saved;
  const config = configJson(family, model.options, endIds);
  checkDescribed(family, model.options, config);
  const { join } = nodeModule('node:path');
  const { mkdir } = nodeModule('node:fs').promises;
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new InputError(`The folder '${folder}' cannot be made: ${error.message}.`);
  });
  const arrays = treeToRecord<NDArray>(params);
  const tensors = weightMap(family, model.options).map(
    (entry) => [entry.key, tensorOf(entry, arrays)] as const,
  );
  await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(tensors));
  const write = (name: string, json: JsonObject) =>
    writeFileAtomically(join(folder, name), new TextEncoder().encode(`${JSON.stringify(json, null, 1)}\n`));
  if (tokenizer) await write('tokenizer.json', tokenizer);
  if (tokenizerConfig) await write('tokenizer_config.json', tokenizerConfig);
  // Last, so that a folder with a configuration is a whole one.
  await write('config.json', config);
}

function configJson(
  family: WritableFamily,
  options: TransformerConfig,
  endIds: readonly number[],
): JsonObject {
  const end = endIds.length === 0 ? {} : { eos_token_id: endIds.length === 1 ? endIds[0]! : [...endIds] };
  if (family === 'gpt2') {
    return {
      model_type: 'gpt2',
      architectures: ['GPT2LMHeadModel'],
      vocab_size: options.vocabSize,
      n_positions: options.context,
      n_embd: options.modelWidth,
      n_layer: options.layers,
      n_head: options.heads,
      n_inner: options.mlpWidth,
      layer_norm_epsilon: options.normEpsilon,
      activation_function: options.activation === 'gelu' ? 'gelu' : 'gelu_new',
      tie_word_embeddings: options.tiedHead,
      ...end,
    };
  }
  return {
    model_type: family,
    architectures: [family === 'qwen2' ? 'Qwen2ForCausalLM' : 'LlamaForCausalLM'],
    vocab_size: options.vocabSize,
    hidden_size: options.modelWidth,
    num_hidden_layers: options.layers,
    num_attention_heads: options.heads,
    num_key_value_heads: options.keyValueHeads,
    head_dim: options.headWidth,
    intermediate_size: options.mlpWidth,
    max_position_embeddings: options.context,
    rms_norm_eps: options.normEpsilon,
    hidden_act: 'silu',
    rope_theta: options.rotaryBase,
    tie_word_embeddings: options.tiedHead,
    ...(family === 'llama' && { attention_bias: options.outputBias, mlp_bias: options.mlpBias }),
    ...(options.rotaryScaling && { rope_scaling: scalingJson(options.rotaryScaling) }),
    ...end,
  };
}

function scalingJson(scaling: NonNullable<TransformerConfig['rotaryScaling']>): JsonObject {
  if (scaling.kind === 'linear') return { rope_type: 'linear', factor: scaling.factor };
  if (scaling.kind === 'llama3') {
    return {
      rope_type: 'llama3',
      factor: scaling.factor,
      low_freq_factor: scaling.lowFrequencyFactor,
      high_freq_factor: scaling.highFrequencyFactor,
      original_max_position_embeddings: scaling.originalContext,
    };
  }
  throw new InputError(
    `A checkpoint folder with rotary scaling '${scaling.kind}' is not written; linear and llama3 are.`,
  );
}

/** @throws InputError naming the first option that reads back as something else. */
function checkDescribed(family: WritableFamily, options: TransformerConfig, json: JsonObject): void {
  const again = resolveConfig(parseCheckpointConfig(json, 'config.json').options);
  const record = (config: TransformerConfig): Record<string, unknown> => ({ ...config });
  const [own, read] = [record(options), record(again)];
  const lost = Object.keys(own).find(
    (name) => !NO_ARCHITECTURE.has(name) && JSON.stringify(own[name]) !== JSON.stringify(read[name]),
  );
  if (lost === undefined) return;
  throw new InputError(
    `A folder of the family ${family} cannot say that '${lost}' is ${JSON.stringify(own[lost])}; choose another family, or ${JSON.stringify(read[lost])}.`,
  );
}

/** The tensor that a file has in place of a part of a parameter. */
export function tensorOf(
  { key, path, shape, row = 0, transposed = false, interleaved, plus = 0 }: WeightEntry,
  arrays: Record<string, NDArray>,
): SafeTensor {
  const array = arrays[path];
  if (!array || interleaved !== undefined) {
    throw new InputError(
      `The tensor '${key}' cannot be written${array ? ': it is stored in a form of its own' : `, because '${path}' is missing`}.`,
    );
  }
  const width = array.shape.length === 1 ? 1 : array.shape[1]!;
  const rows = transposed ? shape[1]! : shape[0]!;
  const part = Float32Array.from(
    array.data.slice(row * width, (row + rows) * width),
    (value) => value - plus,
  );
  if (!transposed) return { data: part, shape, dtype: 'F32' };
  const turned = new Float32Array(part.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < width; c++) turned[c * rows + r] = part[r * width + c]!;
  return { data: turned, shape, dtype: 'F32' };
}

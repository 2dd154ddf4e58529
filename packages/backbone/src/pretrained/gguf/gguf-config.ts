import { InputError } from '@palimpsest/base';
import { MOST_LAYERS } from '@palimpsest/lm';
import type { RotaryScaling, TransformerOptions } from '../../config.js';
import type { Family } from '../checkpoint-config.js';
import { TensorReader } from '../convert-tensor.js';
import { longropeMagnitude, yarnMagnitude } from '../rope-config.js';
import { usualBases } from '../rotary-config.js';
import type { GgufFiles } from './gguf-files.js';
import type { Metadata } from './metadata.js';

/** Names of `general.architecture` and the families they are; Mistral's files call themselves Llama's. */
const architectures: Readonly<Record<string, Family>> = {
  gpt2: 'gpt2',
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  smollm3: 'smollm3',
  gemma3: 'gemma3',
};
/** Every n-th layer of Gemma 3 sees the whole text, and every n-th of SmolLM3 leaves positions out; files do not say so. */
const GEMMA_PATTERN = 6;
const SMOLLM3_PATTERN = 4;
/** Gemma 3 27B alone scales scores by the width of the model per head. */
const GEMMA_27B_LAYERS = 62;

/** Reads a metadata key of the architecture, as `llama.block_count`. */
class ArchitectureKeys {
  constructor(
    private readonly metadata: Metadata,
    readonly name: string,
  ) {}

  number = (key: string) => this.metadata.shared(`${this.name}.${key}`);
  text = (key: string) => this.metadata.find(`${this.name}.${key}`, 'string');

  need(key: string): number {
    const value = this.number(key);
    if (value !== undefined) return value;
    throw new InputError(`${this.metadata.source}: the key '${this.name}.${key}' is missing.`);
  }
}

/** @throws InputError for an architecture that is not supported. */
export function ggufFamily(metadata: Metadata): Family {
  const name = metadata.need('general.architecture', 'string');
  const family = Object.hasOwn(architectures, name) ? architectures[name] : undefined;
  if (family) return family;
  throw new InputError(
    `${metadata.source}: the architecture '${name}' is not supported; supported are ${Object.keys(architectures).join(', ')}.`,
  );
}

/** The architecture that a GGUF file describes. @throws InputError naming the key that is missing or not supported. */
export async function ggufOptions(
  files: GgufFiles,
  metadata: Metadata,
  family: Family,
): Promise<TransformerOptions> {
  const keys = new ArchitectureKeys(metadata, metadata.need('general.architecture', 'string'));
  refuseOthers(keys, metadata.source);
  const has = (name: string) => files.tensors.has(name);
  const heads = keys.need('attention.head_count');
  const modelWidth = keys.need('embedding_length');
  const common = {
    vocabSize: vocabularyOf(files),
    context: keys.need('context_length'),
    layers: layerCount(keys, metadata.source),
    heads,
    modelWidth,
    mlpWidth: keys.need('feed_forward_length'),
    queryKeyValueBias: has('blk.0.attn_q.bias') || has('blk.0.attn_qkv.bias'),
    outputBias: has('blk.0.attn_output.bias'),
    mlpBias: has('blk.0.ffn_up.bias'),
    tiedHead: !has('output.weight'),
  };
  if (family === 'gpt2') {
    const normEpsilon = keys.number('attention.layer_norm_epsilon') ?? 1e-5;
    return { ...common, positions: 'learned', norm: 'layer', normEpsilon, activation: 'geluTanh' };
  }
  const headWidth = keys.number('attention.key_length') ?? modelWidth / heads;
  checkHeads(keys, headWidth, metadata.source);
  return {
    ...common,
    keyValueHeads: keys.number('attention.head_count_kv') ?? heads,
    headWidth,
    positions: 'rotary',
    ...(await rotaryOptions(files, metadata, keys, family, headWidth, common.context)),
    norm: 'rms',
    normEpsilon: keys.need('attention.layer_norm_rms_epsilon'),
    activation: family === 'gemma3' ? 'geglu' : 'swiglu',
    queryKeyNorm: family === 'qwen3' || family === 'gemma3',
    ...layerOptions(keys, family, common.layers),
    ...(family === 'gemma3' && {
      sandwichNorms: true,
      embeddingScale: Math.sqrt(modelWidth),
      attentionScale: 1 / Math.sqrt(common.layers === GEMMA_27B_LAYERS ? modelWidth / heads : headWidth),
    }),
  };
}

function refuseOthers(keys: ArchitectureKeys, source: string): void {
  for (const key of ['expert_count', 'attn_logit_softcapping', 'final_logit_softcapping', 'logit_scale']) {
    const value = keys.number(key);
    if (value === undefined || value === 0) continue;
    throw new InputError(`${source}: the key '${keys.name}.${key}' is ${value}, which is not supported.`);
  }
}

function checkHeads(keys: ArchitectureKeys, headWidth: number, source: string): void {
  for (const key of ['attention.value_length', 'rope.dimension_count']) {
    const width = keys.number(key) ?? headWidth;
    if (width === headWidth) continue;
    throw new InputError(
      `${source}: the key '${keys.name}.${key}' is ${width}, but keys have ${headWidth}, which is not supported.`,
    );
  }
}

function vocabularyOf(files: GgufFiles): number {
  const rows = files.tensors.get('token_embd.weight')?.shape[0];
  if (rows !== undefined) return rows;
  throw new InputError(`${files.source} holds no language model: it lacks 'token_embd.weight'.`);
}

/** @throws InputError for a count that is none, or larger than that of any model. */
function layerCount(keys: ArchitectureKeys, source: string): number {
  const count = keys.need('block_count');
  if (Number.isInteger(count) && count >= 1 && count <= MOST_LAYERS) return count;
  throw new InputError(
    `${source}: the key '${keys.name}.block_count' is ${count}, expected a whole number from 1 to ${MOST_LAYERS}.`,
  );
}

function layerOptions(
  keys: ArchitectureKeys,
  family: Family,
  layers: number,
): Pick<TransformerOptions, 'localLayers' | 'localWindow' | 'unrotatedLayers'> {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  const window = keys.number('attention.sliding_window') ?? 0;
  const period = keys.number('attention.sliding_window_pattern') ?? GEMMA_PATTERN;
  const localLayers = family === 'gemma3' ? all.filter((layer) => (layer + 1) % period !== 0) : all;
  return {
    ...(window > 0 && { localLayers, localWindow: window }),
    ...(family === 'smollm3' && {
      unrotatedLayers: all.filter((layer) => (layer + 1) % SMOLLM3_PATTERN === 0),
    }),
  };
}

async function rotaryOptions(
  files: GgufFiles,
  metadata: Metadata,
  keys: ArchitectureKeys,
  family: Exclude<Family, 'gpt2'>,
  headWidth: number,
  context: number,
): Promise<Pick<TransformerOptions, 'rotaryBase' | 'rotaryScaling' | 'localRotaryBase'>> {
  const usual = usualBases(family);
  const localRotaryBase = keys.number('rope.freq_base_swa') ?? usual.localRotaryBase;
  return {
    rotaryBase: keys.number('rope.freq_base') ?? usual.rotaryBase,
    rotaryScaling:
      (await factorScaling(files, keys, headWidth, context)) ?? statedScaling(metadata, keys, context),
    localRotaryBase,
  };
}

/** Factors that stand in tensors: those of LongRoPE, or Llama 3's, computed beforehand. */
async function factorScaling(
  files: GgufFiles,
  keys: ArchitectureKeys,
  headWidth: number,
  context: number,
): Promise<RotaryScaling | undefined> {
  const [all, short, long] = await Promise.all(
    ['rope_freqs.weight', 'rope_factors_short.weight', 'rope_factors_long.weight'].map((name) =>
      factorsOf(files, name, headWidth),
    ),
  );
  if (short && long) {
    const originalContext = keys.number('rope.scaling.original_context_length') ?? context;
    const magnitude =
      keys.number('rope.scaling.attn_factor') ??
      longropeMagnitude(context / originalContext, originalContext);
    return { kind: 'longrope', shortFactors: short, longFactors: long, originalContext, magnitude };
  }
  return all && { kind: 'factors', factors: all };
}

async function factorsOf(files: GgufFiles, key: string, headWidth: number): Promise<number[] | undefined> {
  const tensor = files.tensors.get(key);
  if (!tensor) return undefined;
  if (tensor.shape.length !== 1 || tensor.shape[0] !== headWidth / 2) {
    throw new InputError(
      `${files.source}: '${key}' has shape [${tensor.shape.join(', ')}] instead of [${headWidth / 2}].`,
    );
  }
  const values = new Float32Array(headWidth / 2);
  await new TensorReader().readInto(tensor, { key, shape: tensor.shape, path: key }, values);
  return [...values];
}

function statedScaling(metadata: Metadata, keys: ArchitectureKeys, context: number): RotaryScaling | null {
  // Files from before there was a type have a factor alone, and mean a linear one.
  const type = keys.text('rope.scaling.type') ?? 'linear';
  const factor = keys.number('rope.scaling.factor') ?? keys.number('rope.scale_linear') ?? 1;
  // 0 stands for a factor that is not stated.
  if (type === 'none' || factor === 1 || factor === 0) return null;
  if (type === 'linear') return { kind: 'linear', factor };
  if (type === 'yarn') {
    return {
      kind: 'yarn',
      factor,
      originalContext: keys.number('rope.scaling.original_context_length') ?? context,
      fastRotations: keys.number('rope.scaling.yarn_beta_fast') ?? 32,
      slowRotations: keys.number('rope.scaling.yarn_beta_slow') ?? 1,
      wholeDimensions: true,
      magnitude: (keys.number('rope.scaling.attn_factor') ?? 1) * yarnMagnitude(factor),
    };
  }
  throw new InputError(
    `${metadata.source}: the key '${keys.name}.rope.scaling.type' is '${type}', which is not supported; supported are none, linear, yarn.`,
  );
}

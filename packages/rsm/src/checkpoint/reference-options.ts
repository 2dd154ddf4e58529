import { InputError } from '@palimpsest/tensor-core';
import { type RsmConfig, type RsmOptions, resolveConfig } from '../config.js';
import type { NamedTensors } from '../reference-keys.js';

/** The reference's names of our options. */
const NAMES = {
  vocab_size: 'vocabSize',
  hidden_size: 'hiddenSize',
  num_layers: 'numLayers',
  num_heads: 'numHeads',
  n_slots: 'numMemorySlots',
  num_memory_slots: 'numMemorySlots',
  window_size: 'windowSize',
  chunk_size: 'chunkSize',
  dropout: 'dropout',
  use_global_sync: 'useGlobalSync',
  use_attention_pooling: 'useAttentionPooling',
} as const;

type ReferenceName = keyof typeof NAMES;

/** A configuration under the reference's names; `chunk_size` is there the factory's name of the window. */
export function toReferenceConfig(config: RsmConfig): Record<ReferenceName, number | boolean> {
  const entries = Object.entries(NAMES).map(([name, ours]) => [name, config[ours]]);
  return Object.fromEntries(entries) as Record<ReferenceName, number | boolean>;
}

/** Options from a configuration under the reference's names; the names of others are left out. */
export function fromReferenceConfig(config: Readonly<Record<string, unknown>>): Partial<RsmOptions> {
  const known = Object.entries(NAMES).filter(([name]) => config[name] !== undefined && config[name] !== null);
  return Object.fromEntries(known.map(([name, ours]) => [ours, config[name]])) as Partial<RsmOptions>;
}

export const isLegacy = (tensors: NamedTensors) => tensors.has('blocks.0.local_attention.Q.weight');

/** What the shapes of the tensors say about the model. The number of heads leaves no trace in them. */
function optionsOfShapes(tensors: NamedTensors): Partial<RsmOptions> {
  const embedding = shapeOf(tensors, 'tok_emb.weight');
  const memory = shapeOf(tensors, 'memory_init');
  const layers = new Set([...tensors.keys()].flatMap((key) => /^blocks\.(\d+)\./.exec(key)?.[1] ?? [])).size;
  const positions = tensors.get('pos_emb.pe')?.shape[0];
  const legacy = isLegacy(tensors);
  return {
    preset: legacy ? 'legacy' : 'parity',
    vocabSize: embedding[0]!,
    hiddenSize: embedding[1]!,
    numLayers: layers,
    numMemorySlots: memory.at(-2)!,
    windowSize: positions === undefined ? undefined : positions / 2,
    ...(legacy
      ? {}
      : {
          useAttentionPooling: tensors.has('blocks.0.memory_write.salience_query.weight'),
          useGlobalSync: syncKeyOf(tensors, 'mem_from_tokens.q_proj.weight') !== undefined,
        }),
  };
}

function shapeOf(tensors: NamedTensors, key: string): readonly number[] {
  const tensor = tensors.get(key);
  if (tensor) return tensor.shape;
  throw new InputError(`These are no weights of an RSM: there is no tensor '${key}'.`);
}

/** A tensor of the sync, whose state dict may be stored apart or under `sync.`. */
export function syncKeyOf(tensors: NamedTensors, key: string): string | undefined {
  return [key, `sync.${key}`].find((name) => tensors.has(name));
}

/**
 * Everything decided about a reference model: by the caller first, then by its stored configuration, then by its shapes.
 * @throws InputError when nothing says how many heads there are: another number computes something else without a sign.
 */
export function referenceConfigOf(
  tensors: NamedTensors,
  stored: Readonly<Record<string, unknown>>,
  given: Partial<RsmOptions>,
): RsmConfig {
  const options = { ...optionsOfShapes(tensors), ...fromReferenceConfig(stored), ...given };
  if (options.numHeads === undefined && options.preset !== 'legacy') {
    throw new InputError(
      'The file does not say how many attention heads the model has, and another number would compute something else; give numHeads.',
    );
  }
  // The factory's chunk_size is the window, and the reference cuts generation and positions by it.
  const { chunkSize, windowSize = chunkSize, ...rest } = options;
  return resolveConfig({
    ...rest,
    ...(windowSize === undefined ? {} : { windowSize }),
    ...(chunkSize === undefined ? {} : { chunkSize }),
  } as RsmOptions);
}

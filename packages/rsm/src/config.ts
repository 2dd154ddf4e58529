import { MOST_LAYERS } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { RsmOptions } from './options.js';
import { type PresetName, presetOptions } from './presets.js';

const positive = (value: number) => z.int().min(1).default(value);

const shape = {
  preset: z
    .enum(Object.keys(presetOptions) as [PresetName, ...PresetName[]])
    .default('parallel')
    .describe('preset for the options below'),

  vocabSize: z.int().min(1).describe('number of token ids'),
  hiddenSize: positive(128).describe('model width d: even, and divisible by numHeads'),
  numLayers: z.int().min(1).max(MOST_LAYERS).default(4).describe('blocks L'),
  numHeads: positive(4).describe('heads of the self-attention; memory is read with one head'),
  numMemorySlots: positive(32).describe('memory slots m'),
  windowSize: z
    .int()
    .min(2)
    .default(256)
    .describe('positions known are twice this; the parity generator sees the last windowSize - 1 tokens'),
  chunkSize: z
    .int()
    .min(1)
    .optional()
    .describe('tokens C of a chunk, after which the memory is written; default: windowSize'),
  mlpWidth: z
    .int()
    .min(1)
    .optional()
    .describe('hidden width of the MLP of every block; default: 4 hiddenSize'),
  dropout: z.number().min(0).lt(1).default(0.1).describe('drop rate of all sites'),

  useAttentionPooling: z
    .boolean()
    .describe('slots choose what they write, in place of the mean of the chunk'),
  useGlobalSync: z
    .boolean()
    .describe('every syncCadence chunks the slots attend to the tokens; costs the parallel form its speed'),
  globalSyncDropout: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('drop rate inside the sync; default: dropout, in the preset parity 0.1'),
  syncMode: z
    .enum(['parity', 'hidden'])
    .describe('sync on the embeddings after the loss, or differentiable on the last hidden states'),
  syncAllLayers: z
    .boolean()
    .default(false)
    .describe("sync every block's memory with its own outputs, not the last one's only"),
  syncCadence: positive(4).describe('chunks K between two syncs'),
  slidingWindow: z
    .int()
    .min(0)
    .default(0)
    .describe('tokens of its chunk, itself included, that a token attends to; 0: all earlier ones'),

  memoryRead: z
    .enum(['running', 'chunkStart'])
    .describe('blocks read what the block before wrote (leaks the future), or the memory at the chunk start'),
  memoryScope: z
    .enum(['shared', 'perLayer', 'grouped'])
    .describe('one memory for all blocks, one for each, or one for every layersPerMemory blocks'),
  layersPerMemory: positive(2).describe("blocks that share a memory when memoryScope is 'grouped'"),
  writeSource: z
    .enum(['postBlock', 'preRead'])
    .describe("what is written: the block's output, or its self-attended input"),
  updateRule: z
    .enum(['gatedTanh', 'linear'])
    .describe('whether what is written depends on the memory that it replaces'),
  slotIdentity: z.boolean().describe('a learned vector that keeps the slots of every block apart'),

  gateBiasInit: z.number().describe('start of the gate bias; -2 opens gates to 0.12'),
  positions: z
    .enum(['sinusoidal', 'rotary'])
    .default('sinusoidal')
    .describe(
      'sinusoids added to the embeddings; rotary: queries and keys of the self-attention are turned by their place too',
    ),
  recurrenceInit: z
    .enum(['normal', 'decayIdentity'])
    .describe('start of A: normal, or 0.9 times the identity'),
  weightInitStd: z
    .number()
    .positive()
    .default(0.02)
    .describe('standard deviation of the matrices of the blocks at the start'),
  readInit: z
    .enum(['normal', 'zero'])
    .default('normal')
    .describe(
      'start of what is read from the memory: as the other matrices, or nothing until training asks for it',
    ),
  embeddingInitStd: z.number().positive().describe('standard deviation of the token embedding at the start'),
  outputGainInit: z
    .number()
    .positive()
    .default(1)
    .describe(
      'gain of the last norm at the start; small, it keeps the first logits small under a large embedding',
    ),
  memoryInitStd: z.number().positive().describe('standard deviation of the first memory at the start'),

  resetMemoryEvery: z
    .int()
    .min(0)
    .default(0)
    .describe('training chunks between two resets of the memory; 0: never'),
};

/** Options of earlier versions that said how to train; checkpoints still name them, and they never changed a model. */
const RETIRED = ['tbpttChunks', 'laneBatching', 'overlapRatio', 'maxGradNorm'];

/** The options that a checkpoint's configuration names, without those that no longer are any. */
export function savedOptions(config: Readonly<Record<string, unknown>>): RsmOptions {
  return Object.fromEntries(
    Object.entries(config).filter(([name]) => !RETIRED.includes(name)),
  ) as unknown as RsmOptions;
}

/** All options with their meaning; those without a default here take it from `preset`. */
export const rsmConfigSchema = z.strictObject(shape);
export type { RsmOptions };
/** Every option decided. */
export type RsmConfig = Omit<
  z.output<typeof rsmConfigSchema>,
  'chunkSize' | 'globalSyncDropout' | 'mlpWidth'
> & {
  readonly chunkSize: number;
  readonly mlpWidth: number;
  readonly globalSyncDropout: number;
};

/**
 * Fills in the defaults of the chosen preset and checks every option.
 * @throws InputError naming the option, what was expected and what was given.
 */
export function resolveConfig(options: RsmOptions): RsmConfig {
  const preset = presetOptions[options.preset ?? 'parallel'] ?? {};
  // Earlier versions wrote null for what has no value.
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value != null));
  const parsed = rsmConfigSchema.safeParse({ ...preset, ...given });
  if (!parsed.success) throw new InputError(describeIssue(parsed.error.issues[0]!, given));
  const config: RsmConfig = {
    ...parsed.data,
    chunkSize: parsed.data.chunkSize ?? parsed.data.windowSize,
    mlpWidth: parsed.data.mlpWidth ?? 4 * parsed.data.hiddenSize,
    globalSyncDropout:
      parsed.data.globalSyncDropout ?? (parsed.data.syncMode === 'parity' ? 0.1 : parsed.data.dropout),
  };
  checkTogether(config);
  return config;
}

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  if (issue.code === 'unrecognized_keys') {
    return `RSM has no option '${issue.keys[0]}'; the options are ${Object.keys(shape).join(', ')}.`;
  }
  const name = String(issue.path[0] ?? 'preset');
  return `The RSM option '${name}' is wrong: ${issue.message}; ${JSON.stringify(given[name])} was given.`;
}

function checkTogether(config: RsmConfig): void {
  const { hiddenSize, numHeads, windowSize, chunkSize, preset, positions } = config;
  if (hiddenSize % 2 !== 0) {
    throw new InputError(
      `hiddenSize ${hiddenSize} is odd, but sines and cosines of the positions come in pairs; choose an even one.`,
    );
  }
  if (hiddenSize % numHeads !== 0) {
    throw new InputError(
      `hiddenSize ${hiddenSize} cannot be split over ${numHeads} heads; choose a divisor of ${hiddenSize}.`,
    );
  }
  if (positions === 'rotary' && (hiddenSize / numHeads) % 2 !== 0) {
    throw new InputError(
      `Rotary positions turn pairs, so that a head must have an even width; ${hiddenSize} over ${numHeads} heads gives ${hiddenSize / numHeads}.`,
    );
  }
  if (positions === 'rotary' && !isCausal(config)) {
    throw new InputError(
      "Rotary positions are for the causal wirings; the reference's, which leak, have sinusoids only.",
    );
  }
  if (chunkSize > 2 * windowSize) {
    throw new InputError(
      `chunkSize ${chunkSize} exceeds the ${2 * windowSize} positions of windowSize ${windowSize}; choose a larger window.`,
    );
  }
  if (preset === 'legacy' && numHeads !== 1) {
    throw new InputError(`The legacy model has one attention head, but numHeads ${numHeads} was given.`);
  }
}

/** Number of memories that travel from chunk to chunk. */
export function memoryCount({ memoryScope, numLayers, layersPerMemory }: RsmConfig): number {
  if (memoryScope === 'shared') return 1;
  return memoryScope === 'perLayer' ? numLayers : Math.ceil(numLayers / layersPerMemory);
}

/** Which memory a block reads and writes. */
export function memoryOfLayer(config: RsmConfig, layer: number): number {
  if (config.memoryScope === 'shared') return 0;
  return config.memoryScope === 'perLayer' ? layer : Math.floor(layer / config.layersPerMemory);
}

/** Whether changing a token leaves every earlier logit as it is. */
export function isCausal(config: RsmConfig): boolean {
  return (
    config.memoryRead === 'chunkStart' || (config.memoryScope === 'perLayer' && config.preset !== 'legacy')
  );
}

/** Shape of the memory of a batch: [batch, slots, hidden] when blocks share one, [batch, memories, slots, hidden] else. */
export function memoryShape(config: RsmConfig, batch: number): number[] {
  const { memoryScope, numMemorySlots, hiddenSize } = config;
  const slots = [numMemorySlots, hiddenSize];
  return memoryScope === 'shared' ? [batch, ...slots] : [batch, memoryCount(config), ...slots];
}

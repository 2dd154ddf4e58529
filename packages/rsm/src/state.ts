import { MASKED, tf } from '@palimpsest/tensor-core';
import { isCausal, memoryShape, type RsmConfig } from './config.js';
import { firstMemory } from './memory/slots.js';
import type { RsmParams } from './parameters.js';

/**
 * What the pending chunk will write, as far as it is known. Mean pooling keeps a sum; attention pooling keeps running sums of
 * an online softmax while its queries are fixed, and the tokens themselves where queries depend on what other blocks write.
 */
export interface PoolState {
  /** Sum of the sources: [batch, d] of the mean, [batch, slots, d] of the attention, relative to the peak. */
  readonly sum?: tf.Tensor;
  /** Highest score and sum of the exponentials of every slot, [batch, slots]. */
  readonly peak?: tf.Tensor;
  readonly total?: tf.Tensor;
  /** Sources of the tokens, [batch, chunkSize, d]. */
  readonly sources?: tf.Tensor;
}

/** What a block keeps of the pending chunk. */
export interface BlockState {
  /** [batch, heads, chunkSize, d / heads]; places from the position on hold anything. */
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  readonly pool: PoolState;
  /** Outputs that a sync will attend to, [batch, chunkSize, d]. */
  readonly hidden?: tf.Tensor | undefined;
}

/** The state of a batch of texts; its size does not depend on how long they are. */
export interface RsmState {
  /** Memory at the start of the pending chunk: [batch, slots, d], or [batch, memories, slots, d]. */
  readonly memory: tf.Tensor;
  /** Tokens in the pending chunk, int32 [batch], below chunkSize. */
  readonly position: tf.Tensor;
  /** Chunks written so far, int32 [batch]; where a sync or a reset depends on it. */
  readonly chunk?: tf.Tensor | undefined;
  /** Of causal wirings. */
  readonly blocks?: readonly BlockState[];
  /** Tokens of the pending chunk, int32 [batch, chunkSize]; of the wirings that leak, which compute it anew for every token. */
  readonly ids?: tf.Tensor;
}

export type PoolKind = 'mean' | 'online' | 'kept';

/** How a wiring pools the pending chunk. */
export function poolKind({ useAttentionPooling, updateRule, memoryScope }: RsmConfig): PoolKind {
  if (!useAttentionPooling) return 'mean';
  return updateRule === 'linear' || memoryScope === 'perLayer' ? 'online' : 'kept';
}

/** Whether the differentiable sync is on. */
export function hasHiddenSync({ useGlobalSync, syncMode }: RsmConfig): boolean {
  return useGlobalSync && syncMode === 'hidden';
}

/** Whether what happens to a memory depends on the number of the chunk. */
export function countsChunks({ useGlobalSync, resetMemoryEvery }: RsmConfig): boolean {
  return useGlobalSync || resetMemoryEvery > 0;
}

/** The pool of a chunk without tokens. */
export function emptyPool(config: RsmConfig, batch: number): PoolState {
  const { numMemorySlots: m, hiddenSize: d, chunkSize } = config;
  switch (poolKind(config)) {
    case 'mean':
      return { sum: tf.zeros([batch, d]) };
    case 'online':
      return { sum: tf.zeros([batch, m, d]), peak: tf.fill([batch, m], MASKED), total: tf.zeros([batch, m]) };
    case 'kept':
      return { sources: tf.zeros([batch, chunkSize, d]) };
  }
}

/** The state before the first token. */
export function initialState(config: RsmConfig, params: RsmParams, batch: number): RsmState {
  return {
    memory: firstMemory(config, params, batch),
    position: tf.zeros([batch], 'int32'),
    chunk: countsChunks(config) ? tf.zeros([batch], 'int32') : undefined,
    ...(isCausal(config)
      ? { blocks: emptyBlocks(config, batch) }
      : { ids: tf.zeros([batch, config.chunkSize], 'int32') }),
  };
}

/** What the blocks keep before the first token of a chunk. */
function emptyBlocks(config: RsmConfig, batch: number): BlockState[] {
  const { hiddenSize: d, numHeads, chunkSize, numLayers } = config;
  const cache = () => tf.zeros([batch, numHeads, chunkSize, d / numHeads]);
  return Array.from({ length: numLayers }, () => ({
    keys: cache(),
    values: cache(),
    pool: emptyPool(config, batch),
    hidden: hasHiddenSync(config) ? tf.zeros([batch, chunkSize, d]) : undefined,
  }));
}

/** Bytes of the state of one text (4 per number): memory, keys and values, position, pool, and what a sync needs. */
export function stateBytesOf(config: RsmConfig): number {
  const { hiddenSize: d, numMemorySlots: m, chunkSize: c, numLayers } = config;
  const memories = memoryNumbers(config);
  const counters = 1 + (countsChunks(config) ? 1 : 0);
  if (!isCausal(config)) return 4 * (memories + counters + c);
  const pools = { mean: d, online: m * d + 2 * m, kept: c * d };
  const perBlock = 2 * c * d + pools[poolKind(config)] + (hasHiddenSync(config) ? c * d : 0);
  return 4 * (memories + counters + numLayers * perBlock);
}

const memoryNumbers = (config: RsmConfig) =>
  memoryShape(config, 1).reduce((size, extent) => size * extent, 1);

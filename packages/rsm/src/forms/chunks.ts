import { tf } from '@palimpsest/tensor-core';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { type Dropout, noDropout } from '../dropout-source.js';
import { syncMemory } from '../memory/global-sync.js';
import { initialMemory, joinMemory, splitMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import type { BlockForm } from './block-chunk.js';
import { type ChunkResult, forwardChunk } from './chunk.js';
import type { ChunksResult } from './parallel.js';

export interface ChunkLoopOptions {
  /** What each chunk drops, by its number. Default nothing */
  readonly dropoutOf?: (chunk: number) => Dropout;
  /** How blocks are evaluated. Default 'fast' */
  readonly form?: BlockForm;
  /** Chunks that every row has read before, int32 [batch]; they decide when a sync is due. Default 0 */
  readonly chunksBefore?: tf.Tensor;
}

/**
 * Chunk after chunk with the memory carried: the form that every wiring has. A last chunk may be shorter and is written
 * all the same. Gradients flow through all chunks.
 * @param tokens int32 [batch, time], cut into chunks of `chunkSize`
 * @param memory as `memoryShape` says; default: the learned first memory
 */
export function forwardChunks(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  memory?: tf.Tensor,
  options: ChunkLoopOptions = {},
): ChunksResult {
  const [batch, length] = tokens.shape;
  const { chunkSize } = config;
  const { chunksBefore, dropoutOf = () => noDropout, form = 'fast' } = options;
  let current = memory ?? initialMemory(config, params, batch);
  const results: ChunkResult[] = [];
  for (let from = 0, chunk = 0; from < length; from += chunkSize, chunk += 1) {
    const size = Math.min(chunkSize, length - from);
    const piece = tf.slice(tokens, [0, from], [batch, size]) as tf.Tensor2D;
    const dropout = dropoutOf(chunk);
    const result = forwardChunk(config, params, piece, current, { dropout, form });
    const index = tf.add(chunksBefore ?? tf.zeros([batch], 'int32'), tf.scalar(chunk, 'int32'));
    current = syncAfterChunk(config, params, result.memory, hiddenOf(result), index, dropout);
    results.push(result);
  }
  return {
    logits: tf.concat(
      results.map(({ logits }) => logits as tf.Tensor),
      1,
    ),
    memory: current,
    gates: results.flatMap(({ blocks }) => blocks.map(({ gate }) => gate)),
  };
}

const hiddenOf = ({ blocks }: ChunkResult) => blocks.map(({ output }) => output);

/**
 * The sync of syncMode 'hidden' (rsm.md 13): after chunk c with c > 0 and c mod K = 0 the slots attend to the last block's
 * outputs, or each block's memory to its own. Differentiable; other modes give the memory back.
 * @param hidden outputs of every block in the chunk, [batch, time, d] each
 * @param chunk number of the chunk in every row, int32 [batch]
 */
export function syncAfterChunk(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  hidden: readonly tf.Tensor[],
  chunk: tf.Tensor,
  dropout: Dropout = noDropout,
): tf.Tensor {
  const { sync } = params;
  if (!sync || !config.useGlobalSync || config.syncMode !== 'hidden') return memory;
  const isMultiple = tf.equal(tf.mod(chunk, tf.scalar(config.syncCadence, 'int32')), tf.scalar(0, 'int32'));
  const due = tf.cast(tf.logicalAnd(tf.greater(chunk, tf.scalar(0, 'int32')), isMultiple), 'float32');
  const memories = splitMemory(config, memory);
  const next = memories.map((slots, index) => {
    if (!config.syncAllLayers && index < memories.length - 1) return slots;
    const synced = syncMemory(sync, hidden[lastLayerOf(config, index)]!, slots, (x) =>
      dropout(x, { site: 'sync' }),
    );
    return tf.add(slots, tf.mul(tf.reshape(due, [-1, 1, 1]), tf.sub(synced, slots)));
  });
  return joinMemory(config, next);
}

/** The last block that writes a memory. */
function lastLayerOf(config: RsmConfig, memory: number): number {
  let layer = config.numLayers - 1;
  while (memoryOfLayer(config, layer) !== memory) layer -= 1;
  return layer;
}

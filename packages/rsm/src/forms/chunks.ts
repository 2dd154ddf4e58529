import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { type Dropout, noDropout } from '../dropout-source.js';
import { resetMemory, syncMemories } from '../memory/between-chunks.js';
import { initialMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import { hasHiddenSync } from '../state.js';
import type { BlockForm } from './block-chunk.js';
import { type ChunkResult, embedTokens, forwardChunk } from './chunk.js';
import type { ChunksResult } from './parallel.js';

export interface ChunkLoopOptions {
  /** What each chunk drops, by its number. Default nothing */
  readonly dropoutOf?: (chunk: number) => Dropout;
  /** How blocks are evaluated. Default 'fast' */
  readonly form?: BlockForm;
  /** Chunks that every row has read before, int32 [batch]; they decide when a sync or a reset is due. Default 0 */
  readonly chunksBefore?: tf.Tensor | undefined;
  /** Do what belongs to training alone: the sync of syncMode 'parity', and resets. Default false */
  readonly training?: boolean;
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
  const { dropoutOf = () => noDropout, form = 'fast', training = false } = options;
  const chunksBefore = options.chunksBefore ?? tf.zeros([batch], 'int32');
  let current = memory ?? initialMemory(config, params, batch);
  const results: ChunkResult[] = [];
  for (let from = 0, chunk = 0; from < length; from += chunkSize, chunk += 1) {
    const size = Math.min(chunkSize, length - from);
    const piece = tf.slice(tokens, [0, from], [batch, size]) as tf.Tensor2D;
    const dropout = dropoutOf(chunk);
    const index = tf.add(chunksBefore, tf.scalar(chunk, 'int32'));
    if (training) current = resetMemory(config, params, current, index);
    const result = forwardChunk(config, params, piece, current, { dropout, form });
    const seen = seenBySync(config, params, result, piece, training);
    current = seen ? syncMemories(config, params, result.memory, seen, index, dropout) : result.memory;
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

/**
 * What a sync after this chunk attends to, by block; undefined where there is none. syncMode 'hidden' takes the outputs of the
 * blocks; 'parity' takes the embedded tokens, out of reach of gradients, and in training only, as published.
 */
function seenBySync(
  config: RsmConfig,
  params: RsmParams,
  { blocks }: ChunkResult,
  tokens: tf.Tensor2D,
  training: boolean,
): readonly tf.Tensor[] | undefined {
  if (hasHiddenSync(config)) return blocks.map(({ output }) => output);
  if (!training || !config.useGlobalSync) return undefined;
  const embedded = stopGradient(embedTokens(params, tokens));
  return blocks.map(() => embedded);
}

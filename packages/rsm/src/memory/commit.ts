import { tf } from '@palimpsest/tensor-core';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { syncAfterChunk } from '../forms/chunks.js';
import type { RsmParams } from '../parameters.js';
import type { BlockState } from '../state.js';
import { writeSummary } from './fast-write.js';
import { poolSummary } from './pending-pool.js';
import { joinMemory, slotIdentities, splitMemory } from './slots.js';

/**
 * Writes a full pending chunk into the memory.
 * @param memory at the start of the chunk @param blocks of the state, with full pools
 * @param chunk number of the chunk, int32 [batch]; for a sync
 */
export function commitMemory(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  blocks: readonly Pick<BlockState, 'pool' | 'hidden'>[],
  chunk: tf.Tensor | undefined,
): tf.Tensor {
  const current = [...splitMemory(config, memory)];
  const identities = slotIdentities(config, params);
  params.blocks.forEach((block, layer) => {
    const place = memoryOfLayer(config, layer);
    const slots = current[place]!;
    const summary = poolSummary(config, block.memoryWrite, blocks[layer]!.pool, slots, identities[layer]);
    current[place] = writeSummary(block.memoryWrite, summary, slots).memory;
  });
  const written = joinMemory(config, current);
  if (!chunk) return written;
  return syncAfterChunk(
    config,
    params,
    written,
    blocks.map(({ hidden }) => hidden!),
    chunk,
  );
}

/** Rows of `first` where the flag is 1, of `second` where it is 0. @param flag float32 [batch] */
export function selectRows(flag: tf.Tensor, first: tf.Tensor, second: tf.Tensor): tf.Tensor {
  const condition = tf.cast(tf.reshape(flag, [-1, ...new Array<number>(first.rank - 1).fill(1)]), 'bool');
  return tf.where(condition, first, second);
}

/** `selectRows` on every member of a record. */
export function selectRecord<T extends object>(flag: tf.Tensor, first: T, second: T): T {
  return Object.fromEntries(
    Object.entries(first).map(([name, value]) => [
      name,
      selectRows(flag, value as tf.Tensor, (second as Record<string, tf.Tensor>)[name]!),
    ]),
  ) as T;
}

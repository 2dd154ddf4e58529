import { tf } from '@palimpsest/tensor-core';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { type Dropout, noDropout } from '../dropout-source.js';
import type { RsmParams } from '../parameters.js';
import { syncMemory } from './global-sync.js';
import { selectRows } from './select.js';
import { firstMemory, joinMemory, splitMemory } from './slots.js';

/** The memory that a chunk of a training text starts from: the first one again after every `resetMemoryEvery` chunks. */
export function resetMemory(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  chunk: tf.Tensor,
): tf.Tensor {
  if (config.resetMemoryEvery === 0) return memory;
  const first = firstMemory(config, params, memory.shape[0]!);
  return selectRows(dueEvery(config.resetMemoryEvery, chunk), first, memory);
}

/** 1 for rows whose chunk is a multiple of `every`, but not the first, float32 [batch]. */
function dueEvery(every: number, chunk: tf.Tensor): tf.Tensor {
  const isMultiple = tf.equal(tf.mod(chunk, tf.scalar(every, 'int32')), tf.scalar(0, 'int32'));
  return tf.cast(tf.logicalAnd(tf.greater(chunk, tf.scalar(0, 'int32')), isMultiple), 'float32');
}

/**
 * The sync after chunk c with c > 0 and c mod syncCadence = 0 (DERIVATION.md, "Global sync"): the slots of the last memory, or
 * of every one, attend to what its last block saw.
 * @param seen of every block in the chunk, [batch, time, d] each
 * @param chunk number of the chunk in every row, int32 [batch]
 */
export function syncMemories(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  seen: readonly tf.Tensor[],
  chunk: tf.Tensor,
  dropout: Dropout = noDropout,
): tf.Tensor {
  const { sync } = params;
  if (!sync) return memory;
  const due = dueEvery(config.syncCadence, chunk);
  const memories = splitMemory(config, memory);
  const next = memories.map((slots, index) => {
    if (!config.syncAllLayers && index < memories.length - 1) return slots;
    const synced = syncMemory(sync, seen[lastLayerOf(config, index)]!, slots, (x) =>
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

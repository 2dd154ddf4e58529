import type { tf } from '@palimpsest/tensor-core';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import type { RsmParams } from '../parameters.js';
import { type BlockState, hasHiddenSync } from '../state.js';
import { syncMemories } from './between-chunks.js';
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
  if (!chunk || !hasHiddenSync(config)) return written;
  const hidden = blocks.map((block) => block.hidden!);
  return syncMemories(config, params, written, hidden, chunk);
}

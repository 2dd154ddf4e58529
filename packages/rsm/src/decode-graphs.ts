import { cachedAttention, embedding, linear, softmax, tf } from '@palimpsest/tensor-core';
import { normalise } from './block.js';
import { commitMemory } from './commit.js';
import { memoryOfLayer, type RsmConfig } from './config.js';
import { foldRead, readFolded } from './folded-read.js';
import { slotIdentities, splitMemory } from './memory.js';
import { mlp } from './mlp.js';
import { readHead } from './model.js';
import type { BlockParams, RsmParams } from './parameters.js';
import { addToPool, poolScores } from './pending-pool.js';
import { positionTable } from './positional-encoding.js';
import { turnPacked } from './rotary.js';
import { type BlockState, emptyPool, hasHiddenSync } from './state.js';

/** Keys and values of a block, [batch, heads, chunkSize, d / heads]. */
export type Cache = Pick<BlockState, 'keys' | 'values'>;
/** What a block will write, without the tokens whose rows are kept apart. */
export type Pending = Pick<BlockState, 'pool' | 'hidden'>;

/** Rows of decoded tokens that are not in the pools yet. */
export interface PendingRows {
  /** What every block writes, [batch, layers, chunkSize, d]. */
  readonly sources: tf.Tensor;
  /** Outputs of every block, as sources; for a sync. */
  readonly hidden?: tf.Tensor;
  /** Which places hold rows, float32 [batch, chunkSize] of 0 and 1. */
  readonly counts: tf.Tensor;
}

/** The slots of a block as they are read throughout a chunk: K' [batch, slots, d] and V' transposed, [batch, d, slots]. */
export interface OpenSlots {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/** Folds the reads' projections into the slots, once for a chunk. */
export function openChunk(config: RsmConfig, params: RsmParams, memory: tf.Tensor): OpenSlots[] {
  const memories = splitMemory(config, memory);
  const identities = slotIdentities(config, params);
  return params.blocks.map((block, layer) => {
    const slots = memories[memoryOfLayer(config, layer)]!;
    const identity = identities[layer];
    const { keys, values } = foldRead(block.memoryRead, identity ? tf.add(slots, identity) : slots);
    return { keys, values: tf.transpose(values, [0, 2, 1]) };
  });
}

/** What the tokens read from the slots, [batch, d]. One text takes two products and no moves. */
function readOpen({ keys, values }: OpenSlots, query: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const [batch, slots, d] = keys.shape as [number, number, number];
  if (batch === 1) {
    const weights = softmax(linear(query, tf.reshape(keys, [slots, d])));
    return linear(weights, tf.reshape(values, [d, slots]), bias);
  }
  const folded = { keys, values: tf.transpose(values, [0, 2, 1]) };
  return tf.reshape(readFolded(tf.expandDims(query, 1), folded, bias).output, [batch, d]);
}

export interface DecodedToken {
  /** [batch, vocabSize]. */
  readonly logits: tf.Tensor;
  readonly caches: readonly Cache[];
  /** [batch, layers, d] each. */
  readonly sources: tf.Tensor;
  readonly hidden?: tf.Tensor;
}

/**
 * One token within a chunk.
 * @param token int32 [batch] @param position int32 scalar, its place in the chunk
 */
export function decodeToken(
  config: RsmConfig,
  params: RsmParams,
  reads: readonly OpenSlots[],
  token: tf.Tensor1D,
  position: tf.Tensor,
  caches: readonly Cache[],
): DecodedToken {
  const { hiddenSize: d, chunkSize } = config;
  const table = tf.tensor2d(positionTable(chunkSize, d), [chunkSize, d]);
  let x = tf.add(embedding(params.tokenEmbedding, token), tf.gather(table, tf.reshape(position, [1])));
  const blocks = params.blocks.map((block, layer) => {
    const result = decodeBlock(config, block, x, reads[layer]!, caches[layer]!, position);
    x = result.output;
    return result;
  });
  const stacked = (of: (block: DecodedBlock) => tf.Tensor) => tf.stack(blocks.map(of), 1);
  return {
    logits: readHead(params, x),
    caches: blocks.map(({ cache }) => cache),
    sources: stacked(({ source }) => source),
    ...(hasHiddenSync(config) && { hidden: stacked(({ output }) => output) }),
  };
}

interface DecodedBlock {
  readonly output: tf.Tensor;
  readonly source: tf.Tensor;
  readonly cache: Cache;
}

/** @param x [batch, d] */
function decodeBlock(
  config: RsmConfig,
  params: BlockParams,
  x: tf.Tensor,
  reads: OpenSlots,
  cached: Cache,
  position: tf.Tensor,
): DecodedBlock {
  const { qkv, projection } = params.selfAttention;
  const packed = linear(normalise(x, params.attentionNorm), qkv.weight);
  const turned = turnPacked(config, packed, position, config.numHeads);
  const { read, cache } = cachedAttention(turned, cached, position, config.numHeads);
  const a = tf.add(x, linear(read, projection.weight, projection.bias));
  const h = tf.add(a, readOpen(reads, normalise(a, params.readNorm), params.memoryRead.output.bias));
  const y = tf.add(h, mlp(params.mlp, normalise(h, params.mlpNorm)));
  return { output: y, source: config.writeSource === 'preRead' ? a : y, cache };
}

/** Takes the rows of decoded tokens into the pools. */
export function settlePools(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  pending: readonly Pending[],
  rows: PendingRows,
): Pending[] {
  const memories = splitMemory(config, memory);
  const identities = slotIdentities(config, params);
  const { counts } = rows;
  const perLayer = (x: tf.Tensor) => tf.unstack(x, 1);
  const sources = perLayer(rows.sources);
  const hidden = rows.hidden && perLayer(rows.hidden);
  const isRow = tf.cast(tf.expandDims(counts, 2), 'bool');
  return pending.map((block, layer) => {
    const source = sources[layer]!;
    const slots = memories[memoryOfLayer(config, layer)]!;
    const { memoryWrite } = params.blocks[layer]!;
    const scores = poolScores(config, memoryWrite, source, slots, identities[layer]);
    const pool = block.pool.sources
      ? { sources: tf.where(isRow, source, block.pool.sources) }
      : addToPool(config, block.pool, source, counts, scores);
    return { pool, ...(block.hidden && { hidden: tf.where(isRow, hidden![layer]!, block.hidden) }) };
  });
}

export interface ClosedChunk {
  readonly memory: tf.Tensor;
  readonly pending: readonly Pending[];
  readonly chunk?: tf.Tensor;
}

/** Writes a full chunk into the memory and empties the pools. */
export function closeChunk(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  pending: readonly Pending[],
  rows: PendingRows,
  chunk?: tf.Tensor,
): ClosedChunk {
  const settled = settlePools(config, params, memory, pending, rows);
  const pool = emptyPool(config, memory.shape[0]!);
  return {
    memory: commitMemory(config, params, memory, settled, chunk),
    pending: pending.map((block) => ({ ...block, pool })),
    ...(chunk && { chunk: tf.add(chunk, tf.scalar(1, 'int32')) }),
  };
}

import { addLayerNorm, cachedAttention, embedding, linear, softmax, tf } from '@palimpsest/tensor-core';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { commitMemory } from '../memory/commit.js';
import { type FoldedSlots, foldRead } from '../memory/folded-read.js';
import { addToPool, poolScores } from '../memory/pending-pool.js';
import { slotIdentities, splitMemory } from '../memory/slots.js';
import type { BlockParams, NormParams, RsmParams } from '../parameters.js';
import { positionTable } from '../positional-encoding.js';
import { rotatePacked } from '../rotary.js';
import { type BlockState, emptyPool, hasHiddenSync } from '../state.js';

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

/**
 * The slots of a block as they are read throughout a chunk: K' [batch, slots, d] and V' transposed, [batch, d, slots];
 * without the first axis for one text, whose products then need no moves.
 */
export interface OpenSlots {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/** Folds the reads' projections into the slots of every block, once for a chunk. */
export function foldSlots(config: RsmConfig, params: RsmParams, memory: tf.Tensor): FoldedSlots[] {
  const memories = splitMemory(config, memory);
  const identities = slotIdentities(config, params);
  return params.blocks.map((block, layer) => {
    const slots = memories[memoryOfLayer(config, layer)]!;
    const identity = identities[layer];
    return foldRead(block.memoryRead, identity ? tf.add(slots, identity) : slots);
  });
}

/** Folded slots in the layout that `decodeToken` reads. */
export function openChunk(config: RsmConfig, params: RsmParams, memory: tf.Tensor): OpenSlots[] {
  return foldSlots(config, params, memory).map(({ keys, values }) => {
    const [batch, count, d] = keys.shape as [number, number, number];
    if (batch > 1) return { keys, values: tf.transpose(values, [0, 2, 1]) };
    return { keys: tf.reshape(keys, [count, d]), values: tf.transpose(tf.reshape(values, [count, d])) };
  });
}

/** What the tokens read from the slots, [batch, d], but for the bias. */
function readOpen({ keys, values }: OpenSlots, query: tf.Tensor): tf.Tensor {
  if (keys.rank === 2) return linear(softmax(linear(query, keys)), values);
  const weights = softmax(tf.matMul(tf.expandDims(query, 1), keys, false, true));
  return tf.reshape(tf.matMul(weights, values, false, true), query.shape);
}

export interface DecodedToken {
  /** [batch, vocabSize]. */
  readonly logits: tf.Tensor;
  readonly caches: readonly Cache[];
  /** Rows of all layers side by side, [batch, layers x d] each. */
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
  const places = tf.gather(table, tf.add(tf.zerosLike(token), position));
  let x = addNormalised(embedding(params.tokenEmbedding, token), places, params.blocks[0]!.attentionNorm);
  const blocks = params.blocks.map((block, layer) => {
    const following = params.blocks[layer + 1]?.attentionNorm ?? params.normOut;
    const result = decodeBlock(config, block, following, x, reads[layer]!, caches[layer]!, position);
    x = result.next;
    return result;
  });
  const sideBySide = (of: (block: DecodedBlock) => tf.Tensor) => tf.concat(blocks.map(of), 1);
  return {
    logits: linear(x.normal, params.tokenEmbedding),
    caches: blocks.map(({ cache }) => cache),
    sources: sideBySide(({ source }) => source),
    ...(hasHiddenSync(config) && { hidden: sideBySide(({ next }) => next.sum) }),
  };
}

/** The residual stream and its layer normalisation for the branch that follows, [batch, d] each. */
interface Stream {
  readonly sum: tf.Tensor;
  readonly normal: tf.Tensor;
}

const addNormalised = (
  x: tf.Tensor,
  branch: tf.Tensor,
  { gain, bias }: NormParams,
  shift?: tf.Tensor,
): Stream => addLayerNorm(x, branch, gain, bias, shift ? { shift } : {});

interface DecodedBlock {
  /** The block's output, normalised for what follows. */
  readonly next: Stream;
  readonly source: tf.Tensor;
  readonly cache: Cache;
}

/** One block. Every branch, its bias and the norm behind it are one node: at one token a graph costs what its nodes cost. */
function decodeBlock(
  config: RsmConfig,
  { selfAttention, readNorm, memoryRead, mlpNorm, mlp }: BlockParams,
  following: NormParams,
  x: Stream,
  reads: OpenSlots,
  cached: Cache,
  position: tf.Tensor,
): DecodedBlock {
  const packed = rotatePacked(config, linear(x.normal, selfAttention.qkv.weight), position, config.numHeads);
  const { read, cache } = cachedAttention(packed, cached, position, config.numHeads);
  const { projection } = selfAttention;
  const a = addNormalised(x.sum, linear(read, projection.weight), readNorm, projection.bias);
  const h = addNormalised(a.sum, readOpen(reads, a.normal), mlpNorm, memoryRead.output.bias);
  const hidden = tf.relu(linear(h.normal, mlp.hidden.weight, mlp.hidden.bias));
  const next = addNormalised(h.sum, linear(hidden, mlp.output.weight), following, mlp.output.bias);
  return { next, source: config.writeSource === 'preRead' ? a.sum : next.sum, cache };
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

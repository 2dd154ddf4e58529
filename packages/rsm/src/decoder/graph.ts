import { addLayerNorm, cachedAttention, embedding, linear, softmax, tf } from '@palimpsest/tensor-core';
import { sourceOf } from '../block.js';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { commitMemory } from '../memory/commit.js';
import { foldQueries } from '../memory/fast-write.js';
import { foldRead } from '../memory/folded-read.js';
import { poolingSlots } from '../memory/gated-update.js';
import { addTokenToPool, placeRow } from '../memory/pending-pool.js';
import { slotIdentities, splitMemory } from '../memory/slots.js';
import type { BlockParams, NormParams, RsmParams } from '../parameters.js';
import { positionTable } from '../positional-encoding.js';
import { rotatePacked } from '../rotary.js';
import { type BlockState, emptyPool, poolKind } from '../state.js';

/** What a block reads throughout a chunk of one text, [slots, d] each. */
export interface OpenSlots {
  /** The slots with the read's projections folded in. */
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  /** Folded queries of an online pool. */
  readonly queries?: tf.Tensor;
}

/** Folds the projections into the slots of every block, once for a chunk. @param memory of one text */
export function openSlots(config: RsmConfig, params: RsmParams, memory: tf.Tensor): OpenSlots[] {
  const memories = splitMemory(config, memory);
  const identities = slotIdentities(config, params);
  const { numMemorySlots, hiddenSize, updateRule } = config;
  const rows = (x: tf.Tensor) => tf.reshape(x, [numMemorySlots, hiddenSize]);
  return params.blocks.map(({ memoryRead, memoryWrite: { salienceQuery, salienceKey } }, layer) => {
    const slots = memories[memoryOfLayer(config, layer)]!;
    const slotIdentity = identities[layer];
    const folded = foldRead(memoryRead, slotIdentity ? tf.add(slots, slotIdentity) : slots);
    const open = { keys: rows(folded.keys), values: rows(folded.values) };
    if (poolKind(config) !== 'online') return open;
    const queried = poolingSlots(slots, { slotIdentity, updateRule });
    return { ...open, queries: rows(foldQueries(salienceQuery!, salienceKey!, queried)) };
  });
}

export interface DecodedToken {
  /** [1, vocabSize]. */
  readonly logits: tf.Tensor;
  readonly blocks: readonly BlockState[];
}

/**
 * One token within a chunk of one text.
 * @param token int32 [1] @param position int32 scalar, its place in the chunk
 */
export function decodeToken(
  config: RsmConfig,
  params: RsmParams,
  open: readonly OpenSlots[],
  token: tf.Tensor1D,
  position: tf.Tensor,
  states: readonly BlockState[],
): DecodedToken {
  const { hiddenSize: d, chunkSize } = config;
  const table = tf.tensor2d(positionTable(chunkSize, d), [chunkSize, d]);
  const places = tf.gather(table, tf.add(tf.zerosLike(token), position));
  let x = addNormalised(embedding(params.tokenEmbedding, token), places, params.blocks[0]!.attentionNorm);
  const blocks = params.blocks.map((block, layer) => {
    const following = params.blocks[layer + 1]?.attentionNorm ?? params.normOut;
    const result = decodeBlock(config, block, following, x, open[layer]!, states[layer]!, position);
    x = result.next;
    return result.state;
  });
  return { logits: linear(x.normal, params.tokenEmbedding), blocks };
}

/** The residual stream and its layer normalisation for the branch that follows, [1, d] each. */
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

/**
 * One block, written out: a branch, its bias, the sum and the norm behind it are one node, and at one token a graph costs what
 * its nodes cost (bench/decode.mjs).
 * @param following the norm behind the block
 */
function decodeBlock(
  config: RsmConfig,
  { selfAttention, readNorm, memoryRead, mlpNorm, mlp }: BlockParams,
  following: NormParams,
  x: Stream,
  open: OpenSlots,
  state: BlockState,
  position: tf.Tensor,
): { next: Stream; state: BlockState } {
  const packed = rotatePacked(config, linear(x.normal, selfAttention.qkv.weight), position, config.numHeads);
  const { read, cache } = cachedAttention(packed, state, position, config.numHeads);
  const { projection } = selfAttention;
  const a = addNormalised(x.sum, linear(read, projection.weight), readNorm, projection.bias);
  const slots = tf.matMul(softmax(linear(a.normal, open.keys)), open.values);
  const h = addNormalised(a.sum, slots, mlpNorm, memoryRead.output.bias);
  const hidden = tf.relu(linear(h.normal, mlp.hidden.weight, mlp.hidden.bias));
  const next = addNormalised(h.sum, linear(hidden, mlp.output.weight), following, mlp.output.bias);
  const source = sourceOf(config, { attended: a.sum, output: next.sum });
  const scores = open.queries && linear(source, open.queries);
  return {
    next,
    state: {
      keys: cache.keys,
      values: cache.values,
      pool: addTokenToPool(config, state.pool, source, position, scores),
      hidden: state.hidden && placeRow(state.hidden, next.sum, position),
    },
  };
}

/** A memory between two chunks, with what the blocks keep for the next write. */
export interface ClosedChunk {
  readonly memory: tf.Tensor;
  readonly chunk?: tf.Tensor | undefined;
  readonly pools: readonly Pick<BlockState, 'pool'>[];
}

/** Writes a full chunk into the memory and empties the pools. */
export function closeChunk(
  config: RsmConfig,
  params: RsmParams,
  memory: tf.Tensor,
  pending: readonly Pick<BlockState, 'pool' | 'hidden'>[],
  chunk?: tf.Tensor,
): ClosedChunk {
  return {
    memory: commitMemory(config, params, memory, pending, chunk),
    pools: pending.map(() => ({ pool: emptyPool(config, 1) })),
    chunk: chunk && tf.add(chunk, tf.scalar(1, 'int32')),
  };
}

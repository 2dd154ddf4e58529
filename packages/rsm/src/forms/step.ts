import { cachedAttention, conditional, embedding, linear, softmax, tf } from '@palimpsest/tensor-core';
import { block, sourceOf } from '../block.js';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { commitMemory } from '../memory/commit.js';
import { addTokenToPool, placeRow } from '../memory/pending-pool.js';
import { selectRecord, selectRows } from '../memory/select.js';
import { slotIdentities, splitMemory } from '../memory/slots.js';
import type { BlockParams, GatedUpdateParams, RsmParams } from '../parameters.js';
import { positionTable } from '../positional-encoding.js';
import { rotatePacked } from '../rotary.js';
import { type BlockState, emptyPool, poolKind, type RsmState } from '../state.js';
import { advance } from './advance.js';
import { readHead } from './chunk.js';

export interface StepResult {
  /** [batch, vocabSize]. */
  readonly logits: tf.Tensor2D;
  readonly state: RsmState;
}

/**
 * One token from any state, at constant cost: keys and values are cached, slots are read from the token's side, pooling is
 * online, and the memory is written only when a chunk is full.
 * @param token int32 [batch]
 */
export function step(config: RsmConfig, params: RsmParams, token: tf.Tensor1D, state: RsmState): StepResult {
  if (config.slidingWindow > 0) {
    const { logits, state: next } = advance(config, params, tf.reshape(token, [-1, 1]) as tf.Tensor2D, state);
    return { logits: tf.reshape(logits, [-1, config.vocabSize]) as tf.Tensor2D, state: next };
  }
  const rows = 2 * config.windowSize;
  const table = tf.tensor2d(positionTable(rows, config.hiddenSize), [rows, config.hiddenSize]);
  const memories = splitMemory(config, state.memory);
  const identities = slotIdentities(config, params);
  let x = tf.add(embedding(params.tokenEmbedding, token), tf.gather(table, state.position));
  const blocks = params.blocks.map((weights, layer) => {
    const slots = memories[memoryOfLayer(config, layer)]!;
    const context = { config, position: state.position, slotIdentity: identities[layer] };
    const result = stepBlock(weights, x, slots, state.blocks![layer]!, context);
    x = result.output;
    return result.state;
  });
  return {
    logits: readHead(params, x) as tf.Tensor2D,
    state: closeChunk(config, params, { ...state, blocks }),
  };
}

interface StepContext {
  readonly config: RsmConfig;
  readonly position: tf.Tensor;
  readonly slotIdentity: tf.Tensor | undefined;
}

/** @param x [batch, d] @param memory [batch, slots, d] */
function stepBlock(
  params: BlockParams,
  x: tf.Tensor,
  memory: tf.Tensor,
  state: BlockState,
  { config, position, slotIdentity }: StepContext,
): { output: tf.Tensor; state: BlockState } {
  const slots = slotIdentity ? tf.add(memory, slotIdentity) : memory;
  const { qkv, projection } = params.selfAttention;
  let cache: Pick<BlockState, 'keys' | 'values'> = state;
  const streams = block(params, x, {
    attend: (rows) => {
      const turned = rotatePacked(config, linear(rows, qkv.weight), position, config.numHeads);
      const attended = cachedAttention(turned, state, position, config.numHeads);
      ({ cache } = attended);
      return linear(attended.read, projection.weight, projection.bias);
    },
    read: (rows) => readSlots(params, rows, slots),
  });
  const source = sourceOf(config, streams);
  const queried = config.updateRule === 'linear' ? (slotIdentity ?? tf.zerosLike(slots)) : slots;
  const scores = stepScores(config, params.memoryWrite, source, queried);
  const { pool, hidden } = state;
  return {
    output: streams.output,
    state: {
      keys: cache.keys,
      values: cache.values,
      pool: addTokenToPool(config, pool, source, position, scores),
      hidden: hidden && placeRow(hidden, streams.output, position),
    },
  };
}

/** What a token reads from the slots, [batch, d]: the projections are applied to the one token, not to the slots. */
function readSlots({ memoryRead }: BlockParams, x: tf.Tensor, slots: tf.Tensor): tf.Tensor {
  const d = x.shape[1]!;
  const { query, key, value, output } = memoryRead;
  const toSlots = tf.mul(tf.matMul(linear(x, query.weight), key.weight), 1 / Math.sqrt(d));
  const weights = softmax(tf.matMul(tf.expandDims(toSlots, 1), slots, false, true));
  const picked = tf.reshape(tf.matMul(weights, slots), [-1, d]);
  return linear(linear(picked, value.weight), output.weight, output.bias);
}

/**
 * Scores of the online pool for one token, [batch, slots]; as in `readSlots` the projections are the token's.
 * @param slots what the queries are made of, [slots, d] or [batch, slots, d]
 */
function stepScores(
  config: RsmConfig,
  { salienceQuery, salienceKey }: GatedUpdateParams,
  source: tf.Tensor,
  slots: tf.Tensor,
): tf.Tensor | undefined {
  if (poolKind(config) !== 'online') return undefined;
  const key = tf.mul(linear(source, salienceKey!.weight), 1 / Math.sqrt(config.hiddenSize));
  const toSlots = tf.matMul(key, salienceQuery!.weight);
  const shift = tf.sum(tf.mul(key, salienceQuery!.bias), 1, true);
  return tf.add(scoreSlots(toSlots, slots), shift);
}

function scoreSlots(row: tf.Tensor, slots: tf.Tensor): tf.Tensor {
  if (slots.rank === 2) return linear(row, slots);
  return tf.reshape(tf.matMul(slots, tf.expandDims(row, 2)), [row.shape[0]!, -1]);
}

/** Counts the token; writes the memory of the texts whose chunk is full, and empties their pools. */
function closeChunk(config: RsmConfig, params: RsmParams, state: RsmState): RsmState {
  const { chunkSize } = config;
  const blocks = state.blocks!;
  const next = tf.add(state.position, tf.scalar(1, 'int32'));
  const isFull = tf.greaterEqual(next, tf.scalar(chunkSize, 'int32'));
  const flag = tf.cast(isFull, 'float32');
  const pools = blocks.map(({ pool }) => pool);
  const closed = conditional(
    tf.any(isFull),
    () => {
      const written = commitMemory(config, params, state.memory, blocks, state.chunk);
      const empty = emptyPool(config, state.position.shape[0]!);
      return {
        memory: selectRows(flag, written, state.memory),
        pools: pools.map((pool) => (pool.sources ? {} : selectRecord(flag, empty, pool))),
      };
    },
    () => ({ memory: state.memory, pools: pools.map((pool) => (pool.sources ? {} : pool)) }),
  );
  return {
    memory: closed.memory,
    position: tf.where(isFull, tf.zerosLike(next), next),
    chunk: state.chunk && tf.add(state.chunk, tf.cast(isFull, 'int32')),
    blocks: blocks.map((block, layer) => ({
      ...block,
      ...(!block.pool.sources && { pool: closed.pools[layer]! }),
    })),
  };
}

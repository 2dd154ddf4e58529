import { cachedAttention, conditional, embedding, linear, softmax, tf } from '@palimpsest/tensor-core';
import { advance } from './advance.js';
import { normalise } from './block.js';
import { commitMemory, selectRecord, selectRows } from './commit.js';
import { memoryOfLayer, type RsmConfig } from './config.js';
import { foldQueries } from './fast-write.js';
import { slotIdentities, splitMemory } from './memory.js';
import { mlp } from './mlp.js';
import { readHead } from './model.js';
import type { BlockParams, GatedUpdateParams, RsmParams } from './parameters.js';
import { addToPool } from './pending-pool.js';
import { positionTable } from './positional-encoding.js';
import { rotatePacked } from './rotary.js';
import { type BlockState, emptyPool, poolKind, type RsmState } from './state.js';

/** Maps of one block that a decoder may multiply out beforehand. */
export interface StepMaps {
  /** Reads: W_qᵀ W_k / sqrt(d), transposed for `linear`, and W_o W_v, [d, d] each. */
  readonly toSlots: tf.Tensor;
  readonly fromSlots: tf.Tensor;
  /** Pooling: queries folded with the keys' projection, [slots, d], for updateRule 'linear'; else [d + 1, d]. */
  readonly toPool?: tf.Tensor;
}

export interface StepResult {
  /** [batch, vocabSize]. */
  readonly logits: tf.Tensor2D;
  readonly state: RsmState;
}

/**
 * Products of weights that a step needs, so that a token costs two d x d products for its read instead of four.
 * Worth their d³ when the parameters no longer change.
 */
export function stepMaps(config: RsmConfig, params: RsmParams): StepMaps[] {
  const identities = slotIdentities(config, params);
  const scale = 1 / Math.sqrt(config.hiddenSize);
  return params.blocks.map(({ memoryRead, memoryWrite }, layer) => ({
    toSlots: tf.mul(tf.matMul(memoryRead.key.weight, memoryRead.query.weight, true, false), scale),
    fromSlots: tf.matMul(memoryRead.output.weight, memoryRead.value.weight),
    ...(poolKind(config) === 'online' && {
      toPool: poolMap(config, memoryWrite, identities[layer], scale),
    }),
  }));
}

function poolMap(
  config: RsmConfig,
  { salienceQuery, salienceKey }: GatedUpdateParams,
  slotIdentity: tf.Tensor | undefined,
  scale: number,
): tf.Tensor {
  if (config.updateRule === 'linear') {
    const slots = slotIdentity ?? tf.zeros([config.numMemorySlots, config.hiddenSize]);
    return foldQueries(salienceQuery!, salienceKey!, slots);
  }
  const withBias = tf.concat([tf.transpose(salienceQuery!.weight), tf.expandDims(salienceQuery!.bias, 0)], 0);
  return tf.mul(tf.matMul(withBias, salienceKey!.weight), scale);
}

/**
 * One token from any state, at constant cost: keys and values are cached, slots are read from the token's side, pooling is
 * online, and the memory is written only when a chunk is full.
 * @param token int32 [batch]
 * @param maps products of weights; default: every map as a chain of its factors
 */
export function step(
  config: RsmConfig,
  params: RsmParams,
  token: tf.Tensor1D,
  state: RsmState,
  maps?: readonly StepMaps[],
): StepResult {
  if (config.slidingWindow > 0) {
    const { logits, state: next } = advance(config, params, tf.reshape(token, [-1, 1]) as tf.Tensor2D, state);
    return { logits: tf.reshape(logits, [-1, config.vocabSize]) as tf.Tensor2D, state: next };
  }
  const rows = 2 * config.windowSize;
  const table = tf.tensor2d(positionTable(rows, config.hiddenSize), [rows, config.hiddenSize]);
  const memories = splitMemory(config, state.memory);
  const identities = slotIdentities(config, params);
  let x = tf.add(embedding(params.tokenEmbedding, token), tf.gather(table, state.position));
  const blocks = params.blocks.map((block, layer) => {
    const slots = memories[memoryOfLayer(config, layer)]!;
    const context = {
      config,
      position: state.position,
      maps: maps?.[layer],
      slotIdentity: identities[layer],
    };
    const result = stepBlock(block, x, slots, state.blocks![layer]!, context);
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
  readonly maps: StepMaps | undefined;
  readonly slotIdentity: tf.Tensor | undefined;
}

/** @param x [batch, d] @param memory [batch, slots, d] */
function stepBlock(
  params: BlockParams,
  x: tf.Tensor,
  memory: tf.Tensor,
  state: BlockState,
  { config, position, maps, slotIdentity }: StepContext,
): { output: tf.Tensor; state: BlockState } {
  const slots = slotIdentity ? tf.add(memory, slotIdentity) : memory;
  const { selfAttention } = params;
  const packed = linear(normalise(x, params.attentionNorm), selfAttention.qkv.weight);
  const turned = rotatePacked(config, packed, position, config.numHeads);
  const { read, cache } = cachedAttention(turned, state, position, config.numHeads);
  const a = tf.add(x, linear(read, selfAttention.projection.weight, selfAttention.projection.bias));
  const h = tf.add(a, readSlots(params, normalise(a, params.readNorm), slots, maps));
  const y = tf.add(h, mlp(params.mlp, normalise(h, params.mlpNorm)));
  const source = config.writeSource === 'preRead' ? a : y;
  const rows = tf.expandDims(source, 1);
  const queried = config.updateRule === 'linear' ? (slotIdentity ?? tf.zerosLike(slots)) : slots;
  const scores = stepScores(config, params.memoryWrite, source, queried, maps);
  const counts = tf.ones([x.shape[0]!, 1]);
  const { pool, hidden } = state;
  return {
    output: y,
    state: {
      ...cache,
      pool: pool.sources
        ? { sources: placeRow(pool.sources, source, position) }
        : addToPool(config, pool, rows, counts, scores && tf.expandDims(scores, 2)),
      ...(hidden && { hidden: placeRow(hidden, y, position) }),
    },
  };
}

/** What a token reads from the slots, [batch, d]. */
function readSlots(params: BlockParams, x: tf.Tensor, slots: tf.Tensor, maps?: StepMaps): tf.Tensor {
  const d = x.shape[1]!;
  const { query, key, value, output } = params.memoryRead;
  const toSlots = maps
    ? linear(x, maps.toSlots)
    : tf.mul(tf.matMul(linear(x, query.weight), key.weight), 1 / Math.sqrt(d));
  const weights = softmax(tf.matMul(tf.expandDims(toSlots, 1), slots, false, true));
  const picked = tf.reshape(tf.matMul(weights, slots), [-1, d]);
  return maps
    ? linear(picked, maps.fromSlots, output.bias)
    : linear(linear(picked, value.weight), output.weight, output.bias);
}

/** Scores of the online pool for one token, [batch, slots]. @param slots what the queries are made of, [slots, d] or [batch, slots, d] */
function stepScores(
  config: RsmConfig,
  params: GatedUpdateParams,
  source: tf.Tensor,
  slots: tf.Tensor,
  maps: StepMaps | undefined,
): tf.Tensor | undefined {
  if (poolKind(config) !== 'online') return undefined;
  const d = config.hiddenSize;
  if (config.updateRule === 'linear' && maps) return linear(source, maps.toPool!);
  const [query, key] = [params.salienceQuery!, params.salienceKey!];
  const projected = maps
    ? linear(source, maps.toPool!)
    : withBias(tf.mul(linear(source, key.weight), 1 / Math.sqrt(d)), query.weight, query.bias);
  const [toSlots, shift] = tf.split(projected, [d, 1], 1) as [tf.Tensor, tf.Tensor];
  return tf.add(scoreSlots(toSlots, slots), shift);
}

/** [k W, k · b]: what a slot is multiplied with, and what all slots add. */
const withBias = (key: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) =>
  tf.concat([tf.matMul(key, weight), tf.sum(tf.mul(key, bias), 1, true)], 1);

function scoreSlots(row: tf.Tensor, slots: tf.Tensor): tf.Tensor {
  if (slots.rank === 2) return linear(row, slots);
  return tf.reshape(tf.matMul(slots, tf.expandDims(row, 2)), [row.shape[0]!, -1]);
}

/** Puts a row into its place, [batch, chunkSize, d]. */
function placeRow(rows: tf.Tensor, row: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const here = tf.expandDims(tf.oneHot(position as tf.Tensor1D, rows.shape[1]!, 1, 0, 'float32'), 2);
  return tf.add(tf.mul(rows, tf.sub(1, here)), tf.mul(tf.expandDims(row, 1), here));
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
    ...(state.chunk && { chunk: tf.add(state.chunk, tf.cast(isFull, 'int32')) }),
    blocks: blocks.map((block, layer) => ({
      ...block,
      ...(!block.pool.sources && { pool: closed.pools[layer]! }),
    })),
  };
}

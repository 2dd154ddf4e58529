import { linear, softmax, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import type { GatedUpdateParams } from '../parameters.js';
import { type PoolState, poolKind } from '../state.js';
import { foldQueries } from './fast-write.js';
import { hideTokens, poolingSlots } from './gated-update.js';

/**
 * Adds one token to the pool of the pending chunk.
 * @param source [batch, d] @param position its place, int32 scalar or [batch]
 * @param scores of every slot, [batch, slots]; for online pools
 */
export function addTokenToPool(
  config: RsmConfig,
  pool: PoolState,
  source: tf.Tensor,
  position: tf.Tensor,
  scores?: tf.Tensor,
): PoolState {
  if (pool.sources) return { sources: placeRow(pool.sources, source, position) };
  return addToPool(config, pool, tf.expandDims(source, 1), undefined, scores && tf.expandDims(scores, 2));
}

/** Puts a row [batch, d] into its place among rows [batch, chunkSize, d]. */
export function placeRow(rows: tf.Tensor, row: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const places = tf.reshape(position, [-1]) as tf.Tensor1D;
  const here = tf.expandDims(tf.oneHot(places, rows.shape[1]!, 1, 0, 'float32'), 2);
  return tf.add(tf.mul(rows, tf.sub(1, here)), tf.mul(tf.expandDims(row, 1), here));
}

/**
 * Adds tokens to the pool of the pending chunk, except for kept sources, which are moved with the caches.
 * @param source [batch, time, d]
 * @param counts which tokens belong to the chunk, float32 [batch, time] of 0 and 1; undefined: all
 * @param scores of every slot for every token, [batch, slots, time]; for online pools
 */
export function addToPool(
  config: RsmConfig,
  pool: PoolState,
  source: tf.Tensor,
  counts: tf.Tensor | undefined,
  scores?: tf.Tensor,
): PoolState {
  switch (poolKind(config)) {
    case 'mean':
      return {
        sum: tf.add(pool.sum!, tf.sum(counts ? tf.mul(source, tf.expandDims(counts, 2)) : source, 1)),
      };
    case 'online':
      return addOnline(pool, source, counts, scores!);
    case 'kept':
      return pool;
  }
}

/** One step of an online softmax: sums are relative to the highest score so far. */
function addOnline(
  pool: PoolState,
  source: tf.Tensor,
  counts: tf.Tensor | undefined,
  scores: tf.Tensor,
): PoolState {
  const hidden = hideTokens(scores, counts);
  const peak = tf.maximum(pool.peak!, tf.max(hidden, 2));
  const fade = tf.exp(tf.sub(pool.peak!, peak));
  const exponentials = tf.exp(tf.sub(hidden, tf.expandDims(peak, 2)));
  const weights = counts ? tf.mul(exponentials, tf.expandDims(counts, 1)) : exponentials;
  return {
    sum: tf.add(tf.mul(pool.sum!, tf.expandDims(fade, 2)), tf.matMul(weights, source)),
    peak,
    total: tf.add(tf.mul(pool.total!, fade), tf.sum(weights, 2)),
  };
}

/** What a full chunk writes, [batch, slots or 1, d]. @param memory [batch, slots, d], for kept sources */
export function poolSummary(
  config: RsmConfig,
  params: GatedUpdateParams,
  pool: PoolState,
  memory: tf.Tensor,
  slotIdentity: tf.Tensor | undefined,
): tf.Tensor {
  switch (poolKind(config)) {
    case 'mean':
      return tf.expandDims(tf.mul(pool.sum!, 1 / config.chunkSize), 1);
    case 'online':
      return tf.div(pool.sum!, tf.expandDims(pool.total!, 2));
    case 'kept': {
      const options = { updateRule: config.updateRule, slotIdentity };
      const queries = foldQueries(params.salienceQuery!, params.salienceKey!, poolingSlots(memory, options));
      const scores = tf.matMul(queries, pool.sources!, false, true);
      return tf.matMul(softmax(scores), pool.sources!);
    }
  }
}

/**
 * Scores of the online pool, whose queries do not change during a chunk.
 * @param source [batch, time, d] @param memory [batch, slots, d]
 * @returns [batch, slots, time]
 */
export function poolScores(
  config: RsmConfig,
  params: GatedUpdateParams,
  source: tf.Tensor,
  memory: tf.Tensor,
  slotIdentity: tf.Tensor | undefined,
): tf.Tensor | undefined {
  if (poolKind(config) !== 'online') return undefined;
  const [query, key] = [params.salienceQuery!, params.salienceKey!];
  if (config.updateRule === 'linear') {
    const slots = slotIdentity ?? tf.zeros(memory.shape.slice(1));
    return tf.transpose(linear(source, foldQueries(query, key, slots)), [0, 2, 1]);
  }
  const slots = slotIdentity ? tf.add(memory, slotIdentity) : memory;
  return tf.matMul(foldQueries(query, key, slots), source, false, true);
}

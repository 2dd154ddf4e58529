import { tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { forwardLegacyChunk } from '../legacy/chunk.js';
import type { LegacyParams } from '../legacy/parameters.js';
import { selectRows } from '../memory/select.js';
import type { RsmParams } from '../parameters.js';
import type { RsmState } from '../state.js';
import { forwardChunk } from './chunk.js';

interface ChunkCall {
  /** [batch, vocabSize] of one place per text. */
  readonly logits: tf.Tensor;
  readonly memory: tf.Tensor;
}

/** A chunk call on the first `count` tokens of every row. @param ids [batch, time] @param count int32 [batch] */
export function callPrefix(
  config: RsmConfig,
  params: RsmParams,
  ids: tf.Tensor,
  count: tf.Tensor,
  memory: tf.Tensor,
): ChunkCall {
  const places = tf.expandDims(tf.range(0, ids.shape[1]!, 1, 'int32'), 0);
  const mask = tf.cast(tf.less(places, tf.expandDims(count, 1)), 'float32');
  const at = tf.sub(count, tf.scalar(1, 'int32'));
  const result =
    config.preset === 'legacy'
      ? forwardLegacyChunk(params as unknown as LegacyParams, ids as tf.Tensor2D, memory, { mask, at })
      : forwardChunk(config, params, ids as tf.Tensor2D, memory, { mask, logits: at });
  return { logits: tf.reshape(result.logits, [-1, config.vocabSize]), memory: result.memory };
}

// Wirings that leak the future of a chunk as sequence models: the logits of token t come from a chunk call on the tokens up
// to t with the memory at the chunk start, which is all that may be known. A chunk is written once, when it is full.

/** One token: the chunk so far is computed anew. @param token int32 [batch] */
export function stepPrefix(
  config: RsmConfig,
  params: RsmParams,
  token: tf.Tensor1D,
  state: RsmState,
): { logits: tf.Tensor2D; state: RsmState } {
  const { logits, state: next } = advancePrefix(
    config,
    params,
    tf.reshape(token, [-1, 1]) as tf.Tensor2D,
    state,
  );
  return { logits: tf.reshape(logits, [-1, config.vocabSize]) as tf.Tensor2D, state: next };
}

/**
 * Up to chunkSize tokens, each with its own chunk call, all of them in one batch.
 * @param tokens int32 [batch, time]
 */
export function advancePrefix(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: RsmState,
): { logits: tf.Tensor3D; state: RsmState } {
  const { chunkSize } = config;
  const [batch, time] = tokens.shape;
  const int = (value: number) => tf.scalar(value, 'int32');
  const known = tf.concat([state.ids!, tokens], 1);
  const end = tf.add(state.position, int(time));
  const isFull = tf.greaterEqual(end, int(chunkSize));
  const flag = tf.cast(isFull, 'float32');

  const pending = takeTokens(known, state.position, chunkSize, 0);
  const full = tf.fill([batch], chunkSize, 'int32');
  const complete = callPrefix(config, params, pending, full, state.memory);
  const memory = selectRows(flag, complete.memory, state.memory);

  const running = tf.add(tf.expandDims(state.position, 1), tf.expandDims(tf.range(0, time, 1, 'int32'), 0));
  const isBehind = tf.greaterEqual(running, int(chunkSize));
  const counts = tf.add(tf.where(isBehind, tf.sub(running, int(chunkSize)), running), int(1));
  const behind = tf.reshape(tf.cast(isBehind, 'float32'), [batch * time]);
  const perToken = (x: tf.Tensor) => repeatRows(x, time);
  const later = takeTokens(known, state.position, chunkSize, chunkSize);
  const { logits } = callPrefix(
    config,
    params,
    selectRows(behind, perToken(later), perToken(pending)),
    tf.reshape(counts, [batch * time]),
    selectRows(behind, perToken(memory), perToken(state.memory)),
  );
  return {
    logits: tf.reshape(logits, [batch, time, config.vocabSize]) as tf.Tensor3D,
    state: {
      memory,
      chunk: state.chunk && tf.add(state.chunk, tf.cast(isFull, 'int32')),
      position: tf.where(isFull, tf.sub(end, int(chunkSize)), end),
      ids: selectRows(flag, later, pending),
    },
  };
}

/** Every row `times` times in turn: [batch, ...] to [batch x times, ...]. */
function repeatRows(x: tf.Tensor, times: number): tf.Tensor {
  const [batch, ...rest] = x.shape as [number, ...number[]];
  const tiled = tf.tile(tf.expandDims(x, 1), [1, times, ...rest.map(() => 1)]);
  return tf.reshape(tiled, [batch * times, ...rest]);
}

/**
 * Tokens of a chunk from the pending ones and the new ones behind them: place j is pending token j below the position, else
 * new token j - position, `ahead` places further on. Places without a token hold anything.
 */
function takeTokens(known: tf.Tensor, position: tf.Tensor, chunkSize: number, ahead: number): tf.Tensor {
  const places = tf.add(tf.expandDims(tf.range(0, chunkSize, 1, 'int32'), 0), tf.scalar(ahead, 'int32'));
  const start = tf.expandDims(position, 1);
  const moved = tf.add(tf.sub(places, start), tf.scalar(chunkSize, 'int32'));
  const rows = tf.where(tf.less(places, start), tf.add(places, tf.zerosLike(start)), moved);
  return tf.gather(known, tf.minimum(rows, tf.scalar(known.shape[1]! - 1, 'int32')), 1, 1);
}

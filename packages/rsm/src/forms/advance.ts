import { embedding, linear, MASKED, softmax, tf } from '@palimpsest/tensor-core';
import { joinHeads, splitHeads } from '../attention.js';
import { block, sourceOf } from '../block.js';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { commitMemory } from '../memory/commit.js';
import { foldRead, readFolded } from '../memory/folded-read.js';
import { addToPool, poolScores } from '../memory/pending-pool.js';
import { selectRecord, selectRows } from '../memory/select.js';
import { slotIdentities, splitMemory } from '../memory/slots.js';
import type { BlockParams, RsmParams, SelfAttentionParams } from '../parameters.js';
import { positionalEncoding } from '../positional-encoding.js';
import { rotateHeads } from '../rotary.js';
import { type BlockState, emptyPool, type PoolState, type RsmState } from '../state.js';
import { readHead } from './chunk.js';

export interface AdvanceResult {
  /** [batch, time, vocabSize]. */
  readonly logits: tf.Tensor3D;
  readonly state: RsmState;
}

/**
 * Reads up to chunkSize tokens from any state, exactly as token after token would. The tokens behind a chunk border, if the
 * text crosses one, read the memory that the completed chunk leaves; they go through the blocks in a second pass.
 * @param tokens int32 [batch, time], time up to chunkSize
 * @param crosses false when no text can reach the end of its chunk, which saves the second pass. Default true
 */
export function advance(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  state: RsmState,
  crosses = true,
): AdvanceResult {
  const frame = frameOf(config, tokens.shape[1], state.position);
  const rows = tf.add(
    embedding(params.tokenEmbedding, tokens),
    positionalEncoding(frame.places, config.hiddenSize, 2 * config.windowSize),
  );
  const blocks = state.blocks!;
  const before = pass(config, params, rows, state.memory, blocks, frame);
  const open = blocks.map(({ pool }, layer) => before.add(layer, pool, frame.isBefore));
  const pending = moveCaches(
    config,
    blocks,
    { ...frame, isFull: tf.zerosLike(frame.isFull) },
    before,
    before,
  ).map((block, layer) => (block.pool.sources ? block : { ...block, pool: open[layer]! }));
  if (!crosses) {
    return {
      logits: readHead(params, before.output) as tf.Tensor3D,
      state: { ...state, position: frame.next, blocks: pending },
    };
  }
  const written = commitMemory(config, params, state.memory, pending, state.chunk);
  const memory = selectRows(frame.isFull, written, state.memory);
  const after = pass(config, params, rows, memory, blocks, frame);
  const isAfter = tf.sub(1, frame.isBefore);
  const empty = emptyPool(config, tokens.shape[0]);
  const next = moveCaches(config, blocks, frame, before, after).map((block, layer) => {
    const fresh = after.add(layer, empty, isAfter);
    const pool = block.pool.sources ? block.pool : selectRecord(frame.isFull, fresh, open[layer]!);
    return { ...block, pool };
  });
  const output = tf.where(tf.cast(tf.expandDims(isAfter, 2), 'bool'), after.output, before.output);
  return {
    logits: readHead(params, output) as tf.Tensor3D,
    state: {
      memory,
      position: frame.next,
      chunk: state.chunk && tf.add(state.chunk, tf.cast(frame.isFull, 'int32')),
      blocks: next,
    },
  };
}

/** Where the new tokens stand. */
interface Frame {
  readonly time: number;
  /** Places in their chunks, int32 [batch, time]. */
  readonly places: tf.Tensor;
  /** 1 for tokens of the pending chunk, 0 for those behind its end, float32 [batch, time]. */
  readonly isBefore: tf.Tensor;
  /** Whether the pending chunk is completed, float32 [batch]. */
  readonly isFull: tf.Tensor;
  /** Position after the tokens, int32 [batch]. */
  readonly next: tf.Tensor;
  /** Position before the tokens, int32 [batch]. */
  readonly position: tf.Tensor;
  /** Additive, [batch, 1, time, chunkSize + time]: over the cached keys, then over the new ones. */
  readonly mask: tf.Tensor;
}

const int = (value: number) => tf.scalar(value, 'int32');
const float = (x: tf.Tensor) => tf.cast(x, 'float32');
const numbers = (count: number) => tf.range(0, count, 1, 'int32');

function frameOf({ chunkSize, slidingWindow }: RsmConfig, time: number, position: tf.Tensor): Frame {
  const start = tf.expandDims(position, 1);
  const running = tf.add(start, tf.expandDims(numbers(time), 0));
  const isBefore = tf.less(running, int(chunkSize));
  const places = tf.where(isBefore, running, tf.sub(running, int(chunkSize)));
  const end = tf.add(position, int(time));
  const isFull = tf.greaterEqual(end, int(chunkSize));

  const query = tf.expandDims(places, 2);
  const nearby = (keys: tf.Tensor) =>
    tf.less(tf.sub(query, keys), int(slidingWindow === 0 ? 2 * chunkSize : slidingWindow));
  const cached = tf.reshape(numbers(chunkSize), [1, 1, chunkSize]);
  const seesCached = tf.logicalAnd(
    tf.logicalAnd(tf.expandDims(isBefore, 2), tf.less(cached, tf.expandDims(start, 2))),
    nearby(cached),
  );
  const order = numbers(time);
  const notLater = tf.lessEqual(tf.expandDims(order, 0), tf.expandDims(order, 1));
  const sameChunk = tf.equal(float(tf.expandDims(isBefore, 2)), float(tf.expandDims(isBefore, 1)));
  const seesNew = tf.logicalAnd(
    tf.logicalAnd(sameChunk, tf.expandDims(notLater, 0)),
    nearby(tf.expandDims(places, 1)),
  );
  const sees = tf.concat([float(seesCached), float(seesNew)], 2);
  return {
    time,
    places,
    isBefore: float(isBefore),
    isFull: float(isFull),
    next: tf.where(isFull, tf.sub(end, int(chunkSize)), end),
    position,
    mask: tf.expandDims(tf.mul(tf.sub(1, sees), MASKED), 1),
  };
}

interface PassBlock {
  /** Keys and values of the cache, then of the new tokens, [batch, heads, chunkSize + time, width]. */
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  /** What is written and given on, [batch, time, d]. */
  readonly source: tf.Tensor;
  readonly output: tf.Tensor;
  readonly scores: tf.Tensor | undefined;
}

interface Pass {
  readonly output: tf.Tensor;
  readonly blocks: readonly PassBlock[];
  /** The pool of a block with the tokens that count. */
  add(layer: number, pool: PoolState, counts: tf.Tensor): PoolState;
}

/** All blocks over the new tokens, which read one memory. @param rows [batch, time, d] */
function pass(
  config: RsmConfig,
  params: RsmParams,
  rows: tf.Tensor,
  memory: tf.Tensor,
  states: readonly BlockState[],
  frame: Frame,
): Pass {
  const memories = splitMemory(config, memory);
  const identities = slotIdentities(config, params);
  let x = rows;
  const blocks = params.blocks.map((block, layer) => {
    const slots = memories[memoryOfLayer(config, layer)]!;
    const result = passBlock(config, block, x, slots, identities[layer], states[layer]!, frame);
    x = result.output;
    return result;
  });
  return {
    output: x,
    blocks,
    add: (layer, pool, counts) =>
      addToPool(config, pool, blocks[layer]!.source, counts, blocks[layer]!.scores),
  };
}

function passBlock(
  config: RsmConfig,
  params: BlockParams,
  x: tf.Tensor,
  slots: tf.Tensor,
  slotIdentity: tf.Tensor | undefined,
  state: BlockState,
  frame: Frame,
): PassBlock {
  let [keys, values] = [state.keys, state.values];
  const streams = block(params, x, {
    attend: (rows) => {
      const read = attendPending(config, params.selfAttention, rows, state, frame);
      ({ keys, values } = read);
      return read.output;
    },
    read: (rows) => {
      const folded = foldRead(params.memoryRead, slotIdentity ? tf.add(slots, slotIdentity) : slots);
      return readFolded(rows, folded, params.memoryRead.output.bias).output;
    },
  });
  const source = sourceOf(config, streams);
  const scores = poolScores(config, params.memoryWrite, source, slots, slotIdentity);
  return { keys, values, source, output: streams.output, scores };
}

/** Self-attention over the cached tokens of the chunk and the new ones. @param rows [batch, time, d] */
function attendPending(
  config: RsmConfig,
  params: SelfAttentionParams,
  rows: tf.Tensor,
  cached: Pick<BlockState, 'keys' | 'values'>,
  frame: Frame,
): Pick<PassBlock, 'keys' | 'values' | 'output'> {
  const { numHeads: heads, hiddenSize: d, chunkSize } = config;
  const [batch, time] = rows.shape as [number, number];
  const [query, key, value] = splitHeads(linear(rows, params.qkv.weight), batch, time, heads);
  const places = { of: frame.places, rows: chunkSize };
  const keys = tf.concat([cached.keys, rotateHeads(config, key, places)], 2);
  const values = tf.concat([cached.values, value], 2);
  const scaled = tf.mul(rotateHeads(config, query, places), 1 / Math.sqrt(d / heads));
  const scores = tf.matMul(scaled, keys, false, true);
  const read = tf.matMul(softmax(tf.add(scores, frame.mask)), values);
  return { keys, values, output: joinHeads(params, read) };
}

/**
 * The caches of the chunk that is pending after the tokens: cached rows of the chunk before, if it is still pending, and new
 * ones. New rows of tokens behind a border come from the second pass.
 */
function moveCaches(
  { chunkSize }: RsmConfig,
  blocks: readonly BlockState[],
  frame: Frame,
  before: Pass,
  after: Pass,
): BlockState[] {
  const { position, time, isFull } = frame;
  const place = tf.expandDims(numbers(chunkSize), 0);
  const start = tf.expandDims(position, 1);
  const fresh = tf.sub(tf.add(place, int(chunkSize)), start);
  const inChunk = tf.where(tf.less(place, start), tf.add(place, tf.zerosLike(start)), fresh);
  const chosen = selectRows(isFull, tf.add(fresh, int(chunkSize)), inChunk);
  const rows = tf.minimum(chosen, int(chunkSize + time - 1));
  const take = (first: tf.Tensor, second: tf.Tensor) => {
    const source = first === second ? first : selectRows(isFull, second, first);
    return tf.gather(source, rows, 1, 1);
  };
  const takeHeads = (first: tf.Tensor, second: tf.Tensor) => {
    const [batch, heads, columns, width] = first.shape as [number, number, number, number];
    const source = first === second ? first : selectRows(isFull, second, first);
    const perHead = tf.reshape(tf.tile(tf.expandDims(rows, 1), [1, heads, 1]), [batch * heads, chunkSize]);
    const taken = tf.gather(tf.reshape(source, [batch * heads, columns, width]), perHead, 1, 1);
    return tf.reshape(taken, [batch, heads, chunkSize, width]);
  };
  return blocks.map(({ pool, hidden }, layer) => {
    const [first, second] = [before.blocks[layer]!, after.blocks[layer]!];
    const kept = (cache: tf.Tensor, of: (block: PassBlock) => tf.Tensor) =>
      take(tf.concat([cache, of(first)], 1), tf.concat([cache, of(second)], 1));
    return {
      keys: takeHeads(first.keys, second.keys),
      values: takeHeads(first.values, second.values),
      pool: pool.sources ? { sources: kept(pool.sources, ({ source }) => source) } : pool,
      hidden: hidden && kept(hidden, ({ output }) => output),
    };
  });
}

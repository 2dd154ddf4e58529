import { type Compiled, type DeviceArray, type Engine, ndarray, tf } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { forwardChunk } from '../forms/chunk.js';
import { initialMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';

/** Loss at one place of a chunk, as training sees it and as generation does. */
export interface LeakAtPosition {
  readonly position: number;
  /** Nats per token from one call on the whole chunk. */
  readonly teacherForced: number;
  /** Nats per token from a call on the tokens up to and including this place. */
  readonly prefixOnly: number;
}

export interface LeakCheck {
  readonly positions: readonly LeakAtPosition[];
  /** Means over the positions, and their difference: 0 for a causal model. */
  readonly teacherForced: number;
  readonly prefixOnly: number;
  readonly leak: number;
  /** Share of tokens predicted, both ways. */
  readonly teacherForcedAccuracy: number;
  readonly prefixOnlyAccuracy: number;
}

export interface LeakCheckOptions {
  /** Places to check; each is a graph of its own. Default: all but the last. */
  readonly positions?: readonly number[];
}

interface Scores {
  readonly losses: Float32Array;
  readonly hits: Float32Array;
}

/**
 * Does a model see the future? The loss at every place of a chunk from one call on the whole chunk, against the loss from
 * the last logits of a call that ends there (rsm.md, D1). A causal model has both equal; the reference's does not, since
 * every block writes a summary of the whole chunk that the next block lets all tokens read.
 * @param tokens int32, chunks of `length` tokens one after the other, each read with the first memory.
 */
export async function checkLeak(
  engine: Engine,
  config: RsmConfig,
  params: unknown,
  tokens: Int32Array,
  length: number,
  options: LeakCheckOptions = {},
): Promise<LeakCheck> {
  const chunks = Math.floor(tokens.length / length);
  const positions = options.positions ?? Array.from({ length: length - 1 }, (_, index) => index);
  const weights = engine.put(params);
  const compiled = engine.compile(
    (tree: RsmParams, read: tf.Tensor2D, targets: tf.Tensor2D) => score(config, tree, read, targets),
    { name: 'leak check' },
  ) as unknown as Compiled<readonly unknown[], { losses: tf.Tensor; hits: tf.Tensor }>;
  const slice = (from: number, to: number) => {
    const rows = Int32Array.from({ length: chunks * (to - from) }, (_, index) => {
      const row = Math.floor(index / (to - from));
      return tokens[row * length + from + (index % (to - from))]!;
    });
    return ndarray(rows, [chunks, to - from], 'int32');
  };
  const run = async (time: number): Promise<Scores> => {
    const result = (await compiled(weights, slice(0, time), slice(1, time + 1))) as {
      losses: DeviceArray;
      hits: DeviceArray;
    };
    const [losses, hits] = (await Promise.all([result.losses.data(), result.hits.data()])) as Float32Array[];
    result.losses.dispose();
    result.hits.dispose();
    return { losses: losses!, hits: hits! };
  };
  const whole = await run(length - 1);
  const rows: (LeakAtPosition & { wholeHits: number; prefixHits: number })[] = [];
  for (const position of positions) {
    const prefix = await run(position + 1);
    rows.push({
      position,
      teacherForced: columnMean(whole.losses, length - 1, position),
      prefixOnly: columnMean(prefix.losses, position + 1, position),
      wholeHits: columnMean(whole.hits, length - 1, position),
      prefixHits: columnMean(prefix.hits, position + 1, position),
    });
  }
  await compiled.dispose();
  const mean = (pick: (row: (typeof rows)[number]) => number) =>
    rows.reduce((sum, row) => sum + pick(row), 0) / rows.length;
  const teacherForced = mean((row) => row.teacherForced);
  const prefixOnly = mean((row) => row.prefixOnly);
  return {
    positions: rows.map(({ position, teacherForced: seen, prefixOnly: unseen }) => ({
      position,
      teacherForced: seen,
      prefixOnly: unseen,
    })),
    teacherForced,
    prefixOnly,
    leak: prefixOnly - teacherForced,
    teacherForcedAccuracy: mean((row) => row.wholeHits),
    prefixOnlyAccuracy: mean((row) => row.prefixHits),
  };
}

function score(config: RsmConfig, params: RsmParams, tokens: tf.Tensor2D, targets: tf.Tensor2D) {
  const { logits } = forwardChunk(config, params, tokens, initialMemory(config, params, tokens.shape[0]));
  const chosen = tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(targets, logits.shape[2])), -1);
  return {
    losses: tf.neg(chosen),
    hits: tf.cast(tf.equal(tf.argMax(logits, -1), targets), 'float32'),
  };
}

/** Mean of one column of a matrix of `width` columns. */
function columnMean(values: Float32Array, width: number, column: number): number {
  const rows = values.length / width;
  let total = 0;
  for (let row = 0; row < rows; row++) total += values[row * width + column]!;
  return total / rows;
}

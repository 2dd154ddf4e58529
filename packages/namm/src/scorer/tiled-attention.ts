import { MASKED, softmax, tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';

/** Queries at a time, unless it is said. */
export const TILE = 64;

export interface TokenAttention {
  readonly maskingStrategy: NAMMConfig['bam']['maskingStrategy'];
  /** Newer tokens that a token looks at, or all. */
  readonly window: number | null;
  /** float32 `[batch, heads or 1, 1, tokens]`: added to the logits of every query; keeps tokens out that are none. */
  readonly hidden?: tf.Tensor;
  /** Queries at a time. */
  readonly tile: number;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Columns that queries of a tile look at: those that all of them see, and those that their order decides about. */
interface TileColumns {
  /** Both together. */
  readonly all: Range;
  /** Nothing when the order does not matter. */
  readonly ordered?: Range;
}

function columnsOf(rows: Range, tokens: number, { maskingStrategy, window }: TokenAttention): TileColumns {
  if (maskingStrategy === null) return { all: { from: 0, to: tokens } };
  if (maskingStrategy === 'forward') return { all: { from: 0, to: rows.to }, ordered: rows };
  const to = window === null ? tokens : Math.min(tokens, rows.to + window);
  return { all: { from: rows.from, to }, ordered: window === null ? rows : { from: rows.from, to } };
}

/** 0 where a query may look, else MASKED. */
function orderMask(rows: Range, columns: Range, { maskingStrategy, window }: TokenAttention): tf.Tensor {
  const [height, width] = [rows.to - rows.from, columns.to - columns.from];
  const values = new Float32Array(height * width);
  const reach = window ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const distance = columns.from + j - (rows.from + i);
      const isSeen = maskingStrategy === 'backward' ? distance >= 0 && distance <= reach : distance <= 0;
      if (!isSeen) values[i * width + j] = MASKED;
    }
  }
  return tf.tensor4d(values, [1, 1, height, width]);
}

/**
 * Logits of a tile. A mask is added to the columns that need one alone: a pass over the others costs more than putting both
 * side by side.
 */
function tileLogits(
  query: tf.Tensor,
  keysOf: (columns: Range) => tf.Tensor,
  rows: Range,
  { all, ordered }: TileColumns,
  options: TokenAttention,
): tf.Tensor {
  const product = (columns: Range) => tf.matMul(query, keysOf(columns), false, true);
  if (!ordered) return product(all);
  const own = tf.add(product(ordered), orderMask(rows, ordered, options));
  const before = ordered.from > all.from ? [product({ from: all.from, to: ordered.from })] : [];
  const behind = ordered.to < all.to ? [product({ from: ordered.to, to: all.to })] : [];
  const parts = [...before, own, ...behind];
  return parts.length === 1 ? own : tf.concat(parts, 3);
}

/**
 * Attention among the tokens of a cache, some queries at a time, so that no matrix of all pairs is ever held; a tile leaves
 * out the tokens that none of its queries may look at, which for the backward mask is half of the work.
 * @param query `[batch, heads, tokens, width]`, scaled
 * @param keys as query
 * @param values `[batch, heads, tokens, any]`
 * @returns `[batch, heads, tokens, any]`
 */
export function attendAmongTokens(
  query: tf.Tensor,
  keys: tf.Tensor,
  values: tf.Tensor,
  options: TokenAttention,
): tf.Tensor {
  const [batch, heads, tokens, width] = query.shape as [number, number, number, number];
  const rowsOf = (x: tf.Tensor, { from, to }: Range) =>
    from === 0 && to === tokens
      ? x
      : tf.slice(x, [0, 0, from, 0], [x.shape[0]!, x.shape[1]!, to - from, x.shape[3]!]);
  const parts: tf.Tensor[] = [];
  for (let from = 0; from < tokens; from += options.tile) {
    const rows = { from, to: Math.min(tokens, from + options.tile) };
    const columns = columnsOf(rows, tokens, options);
    const own = tf.reshape(rowsOf(query, rows), [batch, heads, rows.to - rows.from, width]);
    let logits = tileLogits(own, (range) => rowsOf(keys, range), rows, columns, options);
    if (options.hidden) {
      const { hidden } = options;
      const [texts, lists] = hidden.shape as [number, number, number, number];
      const { from: first, to } = columns.all;
      logits = tf.add(logits, tf.slice(hidden, [0, 0, 0, first], [texts, lists, 1, to - first]));
    }
    parts.push(tf.matMul(softmax(logits), rowsOf(values, columns.all)));
  }
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 2);
}

/**
 * What keeps tokens out that are none.
 * @param valid bool or 0/1 `[batch, 1 or heads, tokens]`
 * @returns `[batch, 1 or heads, 1, tokens]`
 */
export const hiddenTokens = (valid: tf.Tensor): tf.Tensor =>
  tf.expandDims(tf.mul(tf.sub(1, tf.cast(valid, 'float32')), MASKED), 2);

import { tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import type { TokenView } from './bam.js';
import { scoreTokens } from './score-tokens.js';

/**
 * Scores of blocks of neighbours first, then of the tokens in the blocks that are left; the rest falls with its block
 * (DERIVATION.md, "Blocks before tokens").
 * @param flat `[1 or batch, 1 or heads, size]`
 * @param threshold `[1 or batch, 1, 1]`: a block below it falls
 * @returns `[batch, heads, tokens]`; a token that falls with its block has the score of the block
 */
export function scoreInBlocks(
  config: NAMMConfig,
  flat: tf.Tensor,
  { features, positions, valid }: TokenView & { readonly valid: tf.Tensor },
  threshold: tf.Tensor,
): tf.Tensor {
  const { block } = config.hierarchy!;
  const [batch, heads, tokens, width] = features.shape as [number, number, number, number];
  const blocks = Math.ceil(tokens / block);
  // The newest block is whole, the oldest may be short.
  const missing = blocks * block - tokens;
  const before: [number, number] = [missing, 0];
  const ones = tf.reshape(
    tf.pad(tf.cast(tf.broadcastTo(valid, positions.shape), 'float32'), [[0, 0], [0, 0], before]),
    [batch, heads, blocks, block, 1],
  );
  const members = tf.reshape(tf.pad(features, [[0, 0], [0, 0], before, [0, 0]]), [
    ...[batch, heads, blocks, block, width],
  ]);
  const count = tf.sum(ones, 3);
  const blockView = {
    features: tf.div(tf.sum(tf.mul(members, ones), 3), tf.maximum(count, 1)),
    positions: newestOf(tf.pad(positions, [[0, 0], [0, 0], before], -1), block),
    valid: tf.greater(tf.reshape(count, [batch, heads, blocks]), 0),
  };
  const ofBlocks = tf.tile(tf.expandDims(scoreTokens(config, flat, blockView), 3), [1, 1, 1, block]);
  const blockScores = tf.slice(
    tf.reshape(ofBlocks, [batch, heads, blocks * block]),
    [0, 0, missing],
    [batch, heads, tokens],
  );
  const isLeft = tf.logicalAnd(valid, tf.greaterEqual(blockScores, threshold));
  const scores = scoreTokens(config, flat, { features, positions, valid: isLeft });
  return tf.where(isLeft, scores, blockScores);
}

/** The largest position of every block: int32 `[batch, heads, blocks]`. */
function newestOf(positions: tf.Tensor, block: number): tf.Tensor {
  const [batch, heads, slots] = positions.shape as [number, number, number];
  return tf.max(tf.reshape(positions, [batch, heads, slots / block, block]), 3);
}

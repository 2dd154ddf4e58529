import { tf } from '@palimpsest/tensor-core';

/** What one hop leaves of the average: emaCoeff to the power of the hop's tokens. */
export const hopDecay = (coefficient: number, hopLength: number): number => coefficient ** hopLength;

export interface Reduction {
  /** What one token leaves of the average. */
  readonly coefficient: number;
  /** Tokens s between two frames. */
  readonly hopLength: number;
  /**
   * Newest tokens that are new: one in block c = ⌊offset / s⌋ counts only in the frames from c on. Leave it out where frames
   * before a token's birth are zero anyway, as those of spectra are.
   */
  readonly newTokens?: number;
}

/** Weights (1 - γ) γ^(P-1-f) of P frames for n tokens, 0 for frames before a new token's birth: `[P, n]`. */
function frameWeights(frames: number, tokens: number, reduction: Reduction): tf.Tensor2D {
  const { coefficient, hopLength, newTokens = 0 } = reduction;
  const decay = hopDecay(coefficient, hopLength);
  const values = Float32Array.from({ length: frames * tokens }, (_, index) => {
    const [frame, token] = [Math.floor(index / tokens), index % tokens];
    const offset = token - (tokens - newTokens);
    const isBorn = frame >= Math.floor(offset / hopLength);
    return isBorn ? (1 - decay) * decay ** (frames - 1 - frame) : 0;
  });
  return tf.tensor2d(values, [frames, tokens]);
}

/**
 * Exponential average over the frames of an interval, without a correction of its start.
 * @param frames values per frame, each `[batch, heads, width, tokens]`, oldest first
 * @param before the average of the tokens that were there before, `[batch, heads, width, old tokens]`
 * @returns `[batch, heads, width, tokens]`
 */
export function averageOverTime(
  frames: readonly tf.Tensor[],
  before: tf.Tensor | undefined,
  reduction: Reduction,
): tf.Tensor {
  const tokens = frames[0]!.shape[3]!;
  const weights = tf.split(frameWeights(frames.length, tokens, reduction), frames.length, 0);
  const sum = tf.addN(
    frames.map((frame, index) => tf.mul(frame, tf.reshape(weights[index]!, [1, 1, 1, tokens]))),
  );
  if (!before) return sum;
  const carried = tf.mul(before, hopDecay(reduction.coefficient, reduction.hopLength) ** frames.length);
  const missing = tokens - before.shape[3]!;
  const padded =
    missing === 0
      ? carried
      : tf.pad(carried, [
          [0, 0],
          [0, 0],
          [0, 0],
          [0, missing],
        ]);
  return tf.add(sum, padded);
}

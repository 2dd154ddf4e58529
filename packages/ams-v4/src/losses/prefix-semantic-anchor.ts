import {
  type PackedTexts,
  packTexts,
  type Transformer,
  type TransformerConfig,
  type TransformerParameters,
} from '@palimpsest/backbone';
import { crossEntropy, type NDArray, ndarray, type tf } from '@palimpsest/tensor-core';

/** Texts with fewer tokens have no two halves. */
const SHORTEST = 4;

/** Second halves of texts, which the prefix of the first halves shall make likelier. */
export interface AnchorBatch<T = NDArray> {
  /** int32 `[texts, time]`: what is read, the texts without their last tokens, with padding at the right. */
  readonly tokens: T;
  /** The rows of `[prefix; text]`, and which of them predict a target. */
  readonly packed: PackedTexts<T>;
  /** int32 `[targets]` */
  readonly labels: T;
  /** `[targets]`, so that every text counts alike; those that fill a number up weigh nothing. */
  readonly weights: T;
}

/**
 * First halves of the texts that are long enough, and what is to be predicted of the second.
 * @param texts ids without special tokens
 * @param slots slots of the prefix
 * @param model heads of the language model
 * @returns nothing when no text has four tokens
 */
export function anchorBatch(
  texts: readonly (readonly number[])[],
  slots: number,
  model: Pick<TransformerConfig, 'heads' | 'keyValueHeads'>,
  padded: (texts: readonly (readonly number[])[]) => { tokens: Int32Array; time: number },
): { firstHalves: number[][]; batch: AnchorBatch } | undefined {
  const long = texts.filter(({ length }) => length >= SHORTEST);
  if (long.length === 0) return undefined;
  const { tokens, time } = padded(long.map((ids) => ids.slice(0, -1)));
  const splits = long.map(({ length }) => Math.max(1, Math.floor(length / 2)));
  const targets = long.map((ids, text) => ids.slice(splits[text]));
  const packed = packTexts(
    model,
    long.map(({ length }, text) => ({
      length: slots + length - 1,
      read: targets[text]!.map((_, j) => slots + splits[text]! - 1 + j),
    })),
    slots + time,
  );
  const count = packed.read.shape[0]!;
  const labels = new Int32Array(count);
  labels.set(targets.flat());
  const weights = new Float32Array(count);
  weights.set(targets.flatMap((list) => list.map(() => 1 / (long.length * list.length))));
  return {
    firstHalves: long.map((ids, text) => ids.slice(0, splits[text])),
    batch: {
      tokens: ndarray(tokens, [long.length, time], 'int32'),
      packed,
      labels: ndarray(labels, [count], 'int32'),
      weights: ndarray(weights, [count]),
    },
  };
}

/**
 * Mean over texts of the mean cross-entropy of the second half behind `[prefix; text]`. Logits are made for the predictors only; the
 * gradient goes through the frozen model into the prefix.
 * @param prefix `[texts, slots, dLLM]`
 */
export function prefixSemanticAnchor(
  model: Transformer,
  weights: TransformerParameters,
  prefix: tf.Tensor,
  { tokens, packed, labels, weights: rowWeights }: AnchorBatch<tf.Tensor>,
): tf.Tensor {
  const logits = model.readPacked(weights, { tokens, softPrefix: prefix }, packed);
  return crossEntropy(logits, labels, { rowWeights });
}

import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import { crossEntropy, linear, type NDArray, ndarray, tf } from '@palimpsest/tensor-core';

/** Texts with fewer tokens have no two halves. */
const SHORTEST = 4;

/** Targets come in steps, because each number is a graph of its own; those that fill a step up weigh nothing. */
const TARGET_STEP = 8;

/** Second halves of texts, which the prefix of the first halves shall make likelier. */
export interface AnchorBatch<T = NDArray> {
  /** int32 `[texts, time]`, with padding at the right. */
  readonly tokens: T;
  /** int32 `[targets]`: flat rows `text · (slots + time) + t` whose logits predict a target. */
  readonly predictors: T;
  /** int32 `[targets]` */
  readonly labels: T;
  /** `[targets]`, so that every text counts alike. */
  readonly weights: T;
}

/**
 * First halves of the texts that are long enough, and what is to be predicted of the second.
 * @param texts ids without special tokens
 * @param slots slots of the prefix
 * @returns nothing when no text has four tokens
 */
export function anchorBatch(
  texts: readonly (readonly number[])[],
  slots: number,
  padded: (texts: readonly (readonly number[])[]) => { tokens: Int32Array; time: number },
): { firstHalves: number[][]; batch: AnchorBatch } | undefined {
  const long = texts.filter(({ length }) => length >= SHORTEST);
  if (long.length === 0) return undefined;
  const { tokens, time } = padded(long);
  const [predictors, labels, weights]: [number[], number[], number[]] = [[], [], []];
  const splits = long.map(({ length }) => Math.max(1, Math.floor(length / 2)));
  long.forEach((ids, text) => {
    const split = splits[text]!;
    const targets = ids.slice(split);
    targets.forEach((id, j) => {
      predictors.push(text * (slots + time) + slots + split - 1 + j);
      labels.push(id);
      weights.push(1 / (long.length * targets.length));
    });
  });
  const count = TARGET_STEP * Math.ceil(labels.length / TARGET_STEP);
  const list = (values: number[]) => {
    const filled = new Int32Array(count);
    filled.set(values);
    return ndarray(filled, [count], 'int32');
  };
  const filledWeights = new Float32Array(count);
  filledWeights.set(weights);
  return {
    firstHalves: long.map((ids, text) => ids.slice(0, splits[text])),
    batch: {
      tokens: ndarray(tokens, [long.length, time], 'int32'),
      predictors: list(predictors),
      labels: list(labels),
      weights: ndarray(filledWeights, [count]),
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
  { tokens, predictors, labels, weights: rowWeights }: AnchorBatch<tf.Tensor>,
): tf.Tensor {
  const state = model.initState(weights, tokens.shape[0]!);
  const { hidden } = model.run(weights, { tokens, softPrefix: prefix }, state, {
    logits: 'none',
    hidden: true,
  });
  const rows = tf.reshape(hidden!.at(-1)!, [-1, model.options.modelWidth]);
  const logits = linear(
    tf.gather(rows, predictors as tf.Tensor1D),
    weights.head?.weight ?? weights.tokenEmbedding,
  );
  return crossEntropy(logits, labels, { rowWeights });
}

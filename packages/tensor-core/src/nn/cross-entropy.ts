import { InputError } from '../errors.js';
import { formatShape } from '../ndarray.js';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { reshape } from '../trace/emit.js';
import { logSoftmax } from './softmax.js';

const pickOp = defineOp<Record<string, never>>({
  name: 'PickPerRow',
  infer: ([x]) => [{ shape: [x!.shape[0]!], dtype: 'float32' }],
  compose: ([x, index]) => [tf.sum(tf.mul(x!, oneHotRows(index!, x!.shape[1]!)), 1)],
  trace: (graph, [x, index]) => {
    const rows = x!.shape[0]!;
    const column = reshape(graph, index!, [rows, 1]);
    const picked = graph.node(
      'GatherElements',
      [x!, column],
      { shape: [rows, 1], dtype: 'float32' },
      { axis: 1 },
    );
    return [reshape(graph, picked, [rows])];
  },
});

const oneHotRows = (labels: tf.Tensor, classes: number) =>
  tf.oneHot(labels as tf.Tensor1D, classes, 1, 0, 'float32');

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Share α of the target spread evenly over all classes: (1 − α) · one-hot + α / classes. Default 0. */
  readonly labelSmoothing?: number;
  /** Rows with this label count neither in the sum nor in the mean. */
  readonly ignoreIndex?: number;
}

/**
 * Mean cross-entropy in nats of rows of logits against labels.
 * Its gradient is (softmax − target) / rows, without going through logarithms.
 * @param logits `[rows, classes]`
 * @param labels int32 `[rows]`
 * @returns a scalar; 0 when every row is ignored
 * @throws InputError when shapes do not fit.
 */
export function crossEntropy(
  logits: tf.Tensor,
  labels: tf.Tensor,
  options: CrossEntropyOptions = {},
): tf.Scalar {
  if (logits.rank !== 2 || labels.rank !== 1 || labels.shape[0] !== logits.shape[0]) {
    throw new InputError(
      `Cross-entropy needs logits [rows, classes] and labels [rows], but got ${formatShape(logits.shape)} and ${formatShape(labels.shape)}.`,
    );
  }
  const { labelSmoothing = 0, ignoreIndex } = options;
  const classes = logits.shape[1]!;
  const rowWeights = ignoreIndex === undefined ? undefined : keptRows(labels, ignoreIndex);
  const safeLabels = rowWeights
    ? tf.cast(tf.mul(tf.cast(labels, 'float32'), rowWeights.kept), 'int32')
    : labels;
  return tf.customGrad((x, save) => {
    const input = x as tf.Tensor;
    (save as tf.GradSaveFunc)([input, safeLabels, ...(rowWeights ? [rowWeights.share] : [])]);
    return {
      value: smoothedLoss(input, safeLabels, labelSmoothing, rowWeights?.share),
      gradFunc: (dy, saved) => {
        const [savedLogits, savedLabels, share] = saved as tf.Tensor[];
        const hot = oneHotRows(savedLabels!, classes);
        const target =
          labelSmoothing === 0 ? hot : tf.add(tf.mul(hot, 1 - labelSmoothing), labelSmoothing / classes);
        const difference = tf.sub(tf.softmax(savedLogits!), target);
        if (share) return tf.mul(difference, tf.mul(tf.expandDims(share, 1), dy as tf.Tensor));
        return tf.mul(difference, tf.div(dy as tf.Tensor, savedLogits!.shape[0]!));
      },
    };
  })(logits) as tf.Scalar;
}

/** 1 for rows that count, and each row's share of the mean. */
function keptRows(labels: tf.Tensor, ignoreIndex: number) {
  const kept = tf.cast(tf.notEqual(labels, tf.scalar(ignoreIndex, 'int32')), 'float32');
  return { kept, share: tf.div(kept, tf.maximum(tf.sum(kept), 1)) };
}

function smoothedLoss(logits: tf.Tensor, labels: tf.Tensor, smoothing: number, share?: tf.Tensor): tf.Tensor {
  const logProbabilities = logSoftmax(logits);
  const picked = pickOp([logProbabilities, labels], {})[0]!;
  const likelihood =
    smoothing === 0
      ? picked
      : tf.add(tf.mul(picked, 1 - smoothing), tf.mul(tf.mean(logProbabilities, 1), smoothing));
  return tf.neg(share ? tf.sum(tf.mul(likelihood, share)) : tf.mean(likelihood));
}

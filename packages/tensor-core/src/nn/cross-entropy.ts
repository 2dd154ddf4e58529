import { formatShape, InputError } from '@palimpsest/base';
import { stopGradient } from '../gradient.js';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { binary, reshape } from '../trace/emit.js';
import { softmax } from '../trace/softmax.js';
import { logSoftmax } from './softmax.js';

const pickOp = defineOp<Record<string, never>>({
  name: 'PickPerRow',
  infer: ([x]) => [{ shape: [x!.shape[0]!], dtype: 'float32' }],
  compose: ([x, index]) => {
    const [rows, classes] = x!.shape as [number, number];
    const starts = Int32Array.from({ length: rows }, (_, row) => row * classes);
    const positions = tf.add(tf.tensor1d(starts, 'int32'), index!);
    return [tf.gather(tf.reshape(x!, [rows * classes]), positions)];
  },
  trace: (graph, [x, index]) => {
    const rows = x!.shape[0]!;
    const column = reshape(graph, index!, [rows, 1]);
    const spec = { shape: [rows, 1], dtype: 'float32' } as const;
    return [reshape(graph, graph.node('GatherElements', [x!, column], spec, { axis: 1 }), [rows])];
  },
});

/** (softmax of the logits − smoothed target) · scale, where the scale is one number or one per row. */
const differenceOp = defineOp<{ smoothing: number }>({
  name: 'CrossEntropyGradient',
  infer: ([logits]) => [logits!],
  compose: ([logits, labels, scale], { smoothing }) => {
    const classes = logits!.shape[1]!;
    const low = smoothing / classes;
    const target = tf.oneHot(labels as tf.Tensor1D, classes, 1 - smoothing + low, low, 'float32');
    return [tf.mul(tf.sub(tf.softmax(logits!), target), scale!)];
  },
  trace: (graph, [logits, labels, scale], { smoothing }) => {
    const [rows, classes] = logits!.shape as [number, number];
    const shifted = binary(graph, 'Sub', softmax(graph, logits!), graph.scalar(smoothing / classes));
    // Only the labels' own columns are touched; there is no one-hot matrix.
    const updates = graph.fill(smoothing - 1, [rows, 1], 'float32');
    const column = reshape(graph, labels!, [rows, 1]);
    const attributes = { axis: 1, reduction: 'add' };
    const difference = graph.node('ScatterElements', [shifted, column, updates], logits!, attributes);
    return [binary(graph, 'Mul', difference, scale!)];
  },
});

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Share α of the target spread evenly over all classes: (1 − α) · one-hot + α / classes. Default 0. */
  readonly labelSmoothing?: number;
  /** Rows with this label count neither in the sum nor in the mean. */
  readonly ignoreIndex?: number | undefined;
  /**
   * Weight of each row, `[rows]`, 0 or more: the mean is Σ weight · loss / Σ weight, so that a mask of 0 and 1 averages
   * over the rows it keeps. The weights themselves receive no gradient. Default: all rows count alike.
   */
  readonly rowWeights?: tf.Tensor | undefined;
}

/**
 * Mean cross-entropy in nats of rows of logits against labels.
 * Its gradient is (softmax − target) / rows, without going through logarithms.
 * @param logits `[rows, classes]`
 * @param labels int32 `[rows]`
 * @returns a scalar; 0 when every row is ignored or has weight 0
 * @throws InputError when shapes do not fit, or for a smoothing outside [0, 1].
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
  const { labelSmoothing: smoothing = 0, ignoreIndex, rowWeights: weights } = options;
  if (weights && (weights.rank !== 1 || weights.shape[0] !== logits.shape[0])) {
    throw new InputError(
      `Cross-entropy of ${logits.shape[0]} rows needs as many row weights, but got ${formatShape(weights.shape)}.`,
    );
  }
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new InputError(`A label smoothing lies in [0, 1], but ${smoothing} was given.`);
  }
  const counted = ignoreIndex === undefined ? undefined : keptRows(labels, ignoreIndex);
  const safeLabels = counted ? tf.where(tf.cast(counted, 'bool'), labels, tf.zerosLike(labels)) : labels;
  const rowShares = counted || weights ? sharesOf(counted, weights) : undefined;
  return tf.customGrad((x, save) => {
    const input = x as tf.Tensor;
    (save as tf.GradSaveFunc)([input, safeLabels, ...(rowShares ? [rowShares] : [])]);
    return {
      value: smoothedLoss(input, safeLabels, smoothing, rowShares),
      gradFunc: (dy, saved) => {
        const [savedLogits, savedLabels, share] = saved as [tf.Tensor, tf.Tensor, tf.Tensor?];
        const scale = share
          ? tf.mul(tf.expandDims(share, 1), dy as tf.Tensor)
          : tf.div(dy as tf.Tensor, savedLogits.shape[0]!);
        return differenceOp([savedLogits, savedLabels, scale], { smoothing })[0]!;
      },
    };
  })(logits) as tf.Scalar;
}

/** 1 for rows that count, 0 for the others. */
const keptRows = (labels: tf.Tensor, ignoreIndex: number) =>
  tf.cast(tf.notEqual(labels, tf.scalar(ignoreIndex, 'int32')), 'float32');

/** Each row's share of the weighted mean. */
function sharesOf(counted: tf.Tensor | undefined, weights: tf.Tensor | undefined): tf.Tensor {
  const given = weights && stopGradient(tf.cast(weights, 'float32'));
  const shares = counted && given ? tf.mul(counted, given) : (counted ?? given)!;
  const total = tf.sum(shares);
  return tf.div(shares, tf.where(tf.greater(total, 0), total, tf.scalar(1)));
}

function smoothedLoss(logits: tf.Tensor, labels: tf.Tensor, smoothing: number, share?: tf.Tensor): tf.Tensor {
  const logProbabilities = logSoftmax(logits);
  const picked = pickOp([logProbabilities, labels], {})[0]!;
  const likelihood =
    smoothing === 0
      ? picked
      : tf.add(tf.mul(picked, 1 - smoothing), tf.mul(tf.mean(logProbabilities, 1), smoothing));
  if (!share) return tf.neg(tf.mean(likelihood));
  // A row of weight 0 counts for nothing even where its likelihood is 0.
  const counted = tf.where(tf.greater(share, 0), tf.mul(likelihood, share), tf.zerosLike(share));
  return tf.neg(tf.sum(counted));
}

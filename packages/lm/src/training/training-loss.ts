import { crossEntropy, stopGradient, tf, treeZip } from '@palimpsest/tensor-core';
import { type BatchSource, IGNORED_TARGET } from '../data/batch.js';
import type { AnySequenceModel, ForwardContext, ForwardResult } from '../sequence-model.js';

/** A batch on the engine. */
export interface TensorBatch {
  readonly inputs: tf.Tensor2D;
  readonly targets: tf.Tensor2D;
  readonly resets: tf.Tensor1D;
  readonly counted?: { readonly places: tf.Tensor1D; readonly weights: tf.Tensor1D };
}

/** What is told of a batch, beside its gradients. */
export interface Watched {
  readonly loss: tf.Tensor;
  readonly auxiliaryLoss?: tf.Tensor | undefined;
  readonly telemetry: Readonly<Record<string, tf.Tensor>>;
}

export interface TrainingLoss {
  /** What is differentiated: the loss, and what the model adds to it. */
  readonly total: tf.Tensor;
  readonly watched: Watched;
  /** Memory after the batch. */
  readonly state: unknown;
}

/**
 * Traced: the loss of one batch.
 * @param memory what was carried from the batch before, where the source carries it
 */
export function trainingLoss(
  model: AnySequenceModel,
  { carriesState, hasIgnoredTargets }: Pick<BatchSource, 'carriesState' | 'hasIgnoredTargets'>,
  labelSmoothing: number,
  { params, memory, batch }: { params: unknown; memory: unknown; batch: TensorBatch },
  context: ForwardContext,
): TrainingLoss {
  const fresh = model.initState(params, batch.inputs.shape[0]);
  const state = carriesState ? resetLanes(memory, fresh, batch.resets) : fresh;
  const places = batch.counted?.places;
  const result = model.forward(params, batch.inputs, state, { ...context, places });
  const targets = tf.reshape(batch.targets, [batch.targets.size]);
  const loss = crossEntropy(logitRows(result, places), places ? tf.gather(targets, places) : targets, {
    labelSmoothing,
    ignoreIndex: hasIgnoredTargets ? IGNORED_TARGET : undefined,
    rowWeights: batch.counted?.weights,
  });
  const { auxiliaryLoss, telemetry = {} } = result;
  const watched: Watched = { loss, auxiliaryLoss, telemetry };
  return { total: auxiliaryLoss ? tf.add(loss, auxiliaryLoss) : loss, watched, state: result.state };
}

/** Rows of logits: of all positions, or of those that count. */
function logitRows({ logits, placed }: ForwardResult<unknown>, places: tf.Tensor1D | undefined): tf.Tensor {
  if (places && placed) return placed;
  const [batch, time, vocabSize] = logits.shape;
  const rows = tf.reshape(logits, [batch * time, vocabSize]);
  return places ? tf.gather(rows, places) : rows;
}

/** The fresh memory in the lanes that begin anew, elsewhere the carried one, cut off the tape. */
function resetLanes(memory: unknown, fresh: unknown, resets: tf.Tensor1D): unknown {
  const begins = tf.greater(resets, tf.scalar(0, 'int32'));
  return treeZip<tf.Tensor, tf.Tensor>([memory, fresh], ([carried, anew]) => {
    const condition = tf.reshape(begins, [begins.size, ...new Array<number>(carried!.rank - 1).fill(1)]);
    return tf.where(condition, anew!, stopGradient(carried!));
  });
}

import { embedding, formatShape, InputError, type Matrix, tf } from '@palimpsest/tensor-core';
import { isMarkedEmpty, type TransformerState } from './cache.js';
import type { TransformerConfig } from './config.js';
import type { DecoderTables } from './decoder.js';
import type { DecoderInput, Rows } from './input-rows.js';
import type { TransformerParameters } from './parameters.js';

/** Where the new rows of a call stand in their texts. */
export interface Places {
  /** The rows stand at 0, 1, …, time − 1 in every text: known without looking at the state. */
  readonly fromStart: boolean;
  /** int32 `[batch, time]` */
  readonly positions: tf.Tensor;
  /** `positions`, and −1 for padding. */
  readonly visible: tf.Tensor;
  /** Position of the token after them, int32 `[batch]`. */
  readonly next: tf.Tensor;
}

/** @throws InputError when given positions do not fit, or learned positions do not reach that far. */
export function placeRows(
  config: TransformerConfig,
  rows: Rows,
  input: DecoderInput,
  state: TransformerState,
): Places {
  const { batch, time, mask } = rows;
  if (config.positions === 'learned' && time > config.context) {
    throw new InputError(
      `${time} rows do not fit into the ${config.context} learned positions; give at most ${config.context}, the soft prefix included.`,
    );
  }
  const fromStart = isMarkedEmpty(state) && input.positions === undefined;
  const positions = givenPositions(input, batch, time) ?? followingPositions(state, fromStart, batch, time);
  const visible = mask ? tf.where(mask, positions, tf.fill([batch, time], -1, 'int32')) : positions;
  const last = tf.slice(positions, [0, time - 1], [batch, 1]);
  return { fromStart, positions, visible, next: tf.add(tf.reshape(last, [batch]), tf.scalar(1, 'int32')) };
}

function givenPositions({ positions }: DecoderInput, batch: number, time: number): tf.Tensor | undefined {
  if (!positions || (positions.shape[0] === batch && positions.shape[1] === time && positions.rank === 2)) {
    return positions;
  }
  throw new InputError(
    `'positions' needs the shape [${batch}, ${time}], but ${formatShape(positions.shape)} was given.`,
  );
}

function followingPositions(
  state: TransformerState,
  fromStart: boolean,
  batch: number,
  time: number,
): tf.Tensor {
  const steps = tf.reshape(tf.range(0, time, 1, 'int32'), [1, time]);
  if (fromStart) return tf.broadcastTo(steps, [batch, time]);
  return tf.add(tf.reshape(state.position, [batch, 1]), steps);
}

/**
 * Adds position embeddings; rotary positions enter in the attention instead. Learned positions end with the context: a
 * later token gets the last row.
 * @param embeddings `[batch, time, modelWidth]`
 */
export function embedPositions(
  config: TransformerConfig,
  tables: DecoderTables,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  embeddings: tf.Tensor,
  { fromStart, positions }: Places,
): tf.Tensor {
  const [, time, width] = embeddings.shape as [number, number, number];
  if (tables.sinusoidal) {
    const { cos, sin } = fromStart ? tables.sinusoidal.firstPositions(time) : tables.sinusoidal.at(positions);
    const interleaved = tf.stack([sin, cos], -1);
    return tf.add(embeddings, tf.reshape(interleaved, [...sin.shape.slice(0, -1), width]));
  }
  if (!parameters.positionEmbedding) return embeddings;
  if (fromStart) return tf.add(embeddings, tf.slice(parameters.positionEmbedding, [0, 0], [time, width]));
  const within = tf.minimum(positions, tf.scalar(config.context - 1, 'int32'));
  return tf.add(embeddings, embedding(parameters.positionEmbedding, within));
}

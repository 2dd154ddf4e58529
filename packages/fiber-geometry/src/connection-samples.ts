import { tf } from '@palimpsest/tensor-core';
import { type ConnectionFn, FiberConnection } from './connection.js';
import { type PathVelocity, type SegmentSamples, segmentSamples } from './path.js';

/** Generators at the start, middle and end of every segment, each `[S, B, F, F]`. */
export type GeneratorSamples = readonly [tf.Tensor, tf.Tensor, tf.Tensor];

/**
 * Evaluates the connection once for all samples of all segments. None of them depends on the fiber, so three
 * evaluations per segment do where a step-by-step integrator makes four, one after the other.
 */
export function sampleConnection(
  connection: FiberConnection | ConnectionFn,
  path: tf.Tensor,
  velocity?: PathVelocity,
): GeneratorSamples {
  const samples = segmentSamples(path, velocity);
  const [segments, batch] = [path.shape[1]! - 1, path.shape[0]!];
  const stacked =
    connection instanceof FiberConnection
      ? learnedGenerators(connection, path, samples)
      : connection(flatRows(samples.points), flatRows(samples.velocities));
  const size = stacked.shape[1]!;
  return tf.split(
    tf.reshape(stacked, [3 * segments, batch, size, size]),
    3,
    0,
  ) as unknown as GeneratorSamples;
}

function flatRows(samples: readonly tf.Tensor[]): tf.Tensor {
  const joined = tf.concat([...samples], 0);
  return tf.reshape(joined, [-1, joined.shape[2]!]);
}

/** Neighbouring segments share an end point: the metric (or the linear kind's network) sees each point once. */
function learnedGenerators(connection: FiberConnection, path: tf.Tensor, samples: SegmentSamples): tf.Tensor {
  const [points, middles] = [tf.transpose(path, [1, 0, 2]), samples.points[1]];
  const [count, batch] = [points.shape[0]!, points.shape[1]!];
  const described = connection.describePoints(flatRows([points, middles]));
  const width = described.shape[1]!;
  const perPoint = tf.reshape(described, [2 * count - 1, batch, width]);
  const part = (from: number) => tf.slice(perPoint, [from, 0, 0], [count - 1, -1, -1]);
  const description = flatRows([part(0), part(count), part(1)]);
  return connection.atPoints(flatRows(samples.points), description, flatRows(samples.velocities));
}

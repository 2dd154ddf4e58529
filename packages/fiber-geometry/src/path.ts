import { InputError, tf } from '@palimpsest/tensor-core';

/**
 * Velocities of a curve that is known between its points too. `tangents` are dx/dt for t in [0, 1] over the whole
 * path; without them a path is a polyline and its velocity is the chord of each segment.
 */
export interface PathVelocity {
  /** Points half-way (in t) along every segment, `[B, P−1, d]`. */
  readonly midpoints: tf.Tensor;
  /** dx/dt at the path's points, `[B, P, d]`. */
  readonly tangents: tf.Tensor;
  /** dx/dt at the midpoints, `[B, P−1, d]`. */
  readonly midpointTangents: tf.Tensor;
}

/** Start, middle and end of every segment with the velocity there per unit step, each `[S, B, d]`. */
export interface SegmentSamples {
  readonly points: readonly [tf.Tensor, tf.Tensor, tf.Tensor];
  readonly velocities: readonly [tf.Tensor, tf.Tensor, tf.Tensor];
}

/** @throws InputError unless `path` is `[batch, points, d]`. */
export function checkPath(path: tf.Tensor, dBase?: number): void {
  if (path.rank === 3 && path.shape[1]! >= 1 && (dBase === undefined || path.shape[2] === dBase)) return;
  throw new InputError(
    `A path must have shape [batch, points, ${dBase ?? 'd'}], but got [${path.shape.join(', ')}].`,
  );
}

const segmentsFirst = (x: tf.Tensor) => tf.transpose(x, [1, 0, 2]);

/** Samples of a path, segments first. */
export function segmentSamples(path: tf.Tensor, velocity?: PathVelocity): SegmentSamples {
  const points = segmentsFirst(path);
  const segments = path.shape[1]! - 1;
  const starts = (x: tf.Tensor) => tf.slice(x, [0, 0, 0], [segments, -1, -1]);
  const ends = (x: tf.Tensor) => tf.slice(x, [1, 0, 0], [segments, -1, -1]);
  const [start, end] = [starts(points), ends(points)];
  if (!velocity) {
    const chord = tf.sub(end, start);
    const middle = tf.mul(tf.add(start, end), 0.5);
    return { points: [start, middle, end], velocities: [chord, chord, chord] };
  }
  const tangents = tf.div(segmentsFirst(velocity.tangents), segments);
  const middle = tf.div(segmentsFirst(velocity.midpointTangents), segments);
  return {
    points: [start, segmentsFirst(velocity.midpoints), end],
    velocities: [starts(tangents), middle, ends(tangents)],
  };
}

/** `interior + 2` equispaced points from xs to xe (both `[B, d]`), `[B, interior + 2, d]`, ends exact. */
export function linearPath(xs: tf.Tensor, xe: tf.Tensor, interior: number): tf.Tensor {
  const count = interior + 2;
  const t = tf.tensor3d(
    Float32Array.from({ length: interior }, (_, k) => (k + 1) / (count - 1)),
    [1, interior, 1],
  );
  const [start, end] = [tf.expandDims(xs, 1), tf.expandDims(xe, 1)];
  return tf.concat([start, tf.add(tf.mul(start, tf.sub(1, t)), tf.mul(end, t)), end], 1);
}

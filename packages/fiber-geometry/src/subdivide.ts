import { tf } from '@palimpsest/tensor-core';
import type { GeneratorSamples } from './connection-samples.js';
import type { PathVelocity } from './path.js';

/**
 * How far a segment may turn, ρ = max over its samples of ‖A‖_F/√2, before it is split: the integrators are accurate,
 * and `polar` is orthogonal, for ρ ≤ 1.
 */
export const LARGEST_ROTATION = 1;

/** ρ per segment and batch item, `[S, B]`. */
export function segmentRotation(samples: GeneratorSamples): tf.Tensor {
  const norms = samples.map((sample) => tf.sqrt(tf.div(tf.sum(tf.square(sample), [-2, -1]), 2)));
  return norms.reduce((largest, norm) => tf.maximum(largest, norm));
}

/** A path whose segment k is split in `parts[k]` equal pieces, with its velocities. */
export function splitSegments(
  path: tf.Tensor,
  velocity: PathVelocity | undefined,
  parts: readonly number[],
): { path: tf.Tensor; velocity: PathVelocity | undefined } {
  const segments = parts.length;
  const pieceCount = parts.reduce((sum, count) => sum + count, 0);
  const curve = velocity ? hermiteCurve(path, velocity) : polyline(path);
  const places: number[] = [];
  const between: number[] = [];
  parts.forEach((count, segment) => {
    for (let piece = 0; piece < count; piece++) {
      places.push(segment + piece / count);
      between.push(segment + (piece + 0.5) / count);
    }
  });
  places.push(segments);
  const points = curve(places).position;
  if (!velocity) return { path: points, velocity: undefined };
  // Velocities are per unit of the new parameter, in which every piece takes the same time.
  const stretch = (list: readonly number[]) =>
    list.map((place) => pieceCount / (segments * parts[Math.min(Math.floor(place), segments - 1)]!));
  return { path: points, velocity: piecewiseVelocity(curve, places, between, stretch) };
}

type Curve = (places: readonly number[]) => { position: tf.Tensor; velocity: tf.Tensor };

function piecewiseVelocity(
  curve: Curve,
  places: readonly number[],
  between: readonly number[],
  stretch: (list: readonly number[]) => number[],
): PathVelocity {
  const scale = (list: readonly number[]) => tf.tensor3d(stretch(list), [1, list.length, 1]);
  const middle = curve(between);
  return {
    midpoints: middle.position,
    tangents: tf.mul(curve(places).velocity, scale(places)),
    midpointTangents: tf.mul(middle.velocity, scale(between)),
  };
}

/** Rows of `[B, P, d]` by index, as a product with a constant, so that its gradient is one product too. */
function mix(x: tf.Tensor, weights: readonly (readonly number[])[]): tf.Tensor {
  const [batch, count, d] = x.shape as [number, number, number];
  const matrix = tf.tensor2d(weights.map((row) => Array.from({ length: count }, (_, k) => row[k] ?? 0)));
  const flat = tf.reshape(tf.transpose(x, [1, 0, 2]), [count, batch * d]);
  return tf.transpose(
    tf.reshape(tf.matMul(matrix, flat as tf.Tensor2D), [weights.length, batch, d]),
    [1, 0, 2],
  );
}

const at = (entries: readonly (readonly [number, number])[]): number[] => {
  const row: number[] = [];
  for (const [index, value] of entries) row[index] = (row[index] ?? 0) + value;
  return Array.from(row, (value) => value ?? 0);
};

function polyline(path: tf.Tensor): Curve {
  const segments = path.shape[1]! - 1;
  return (places) => {
    const position = mix(
      path,
      places.map((place) => {
        const k = Math.min(Math.floor(place), segments - 1);
        return at([
          [k, 1 - (place - k)],
          [k + 1, place - k],
        ]);
      }),
    );
    return { position, velocity: position };
  };
}

/**
 * The curve of degree 5 through the start, middle and end of each segment with the velocities given there: it keeps
 * the integrators' fourth order when a segment of a curve is split.
 */
function hermiteCurve(path: tf.Tensor, velocity: PathVelocity): Curve {
  const segments = path.shape[1]! - 1;
  const { midpoints, tangents, midpointTangents } = velocity;
  const combine = (places: readonly number[], basis: (u: number) => readonly number[]): tf.Tensor => {
    const rows = places.map((place) => {
      const k = Math.min(Math.floor(place), segments - 1);
      return { k, weights: basis(place - k) };
    });
    const ends = (first: number, last: number, scale: number) =>
      rows.map(({ k, weights }) =>
        at([
          [k, weights[first]! * scale],
          [k + 1, weights[last]! * scale],
        ]),
      );
    const middles = (index: number, scale: number) =>
      rows.map(({ k, weights }) => at([[k, weights[index]! * scale]]));
    const terms = [
      mix(path, ends(0, 2, 1)),
      mix(midpoints, middles(1, 1)),
      mix(tangents, ends(3, 5, 1 / segments)),
      mix(midpointTangents, middles(4, 1 / segments)),
    ];
    return terms.reduce((sum, term) => tf.add(sum, term));
  };
  return (places) => ({
    position: combine(places, hermiteBasis),
    velocity: tf.mul(combine(places, hermiteSlopes), segments),
  });
}

/** Polynomials (coefficients of u⁰…u⁵) for the values at 0, ½, 1 and the slopes at 0, ½, 1. */
const HERMITE: readonly (readonly number[])[] = [
  [1, 0, -23, 66, -68, 24],
  [0, 0, 16, -32, 16, 0],
  [0, 0, 7, -34, 52, -24],
  [0, 1, -6, 13, -12, 4],
  [0, 0, -8, 32, -40, 16],
  [0, 0, -1, 5, -8, 4],
];

const hermiteBasis = (u: number) =>
  HERMITE.map((coefficients) => coefficients.reduceRight((sum, value) => sum * u + value, 0));

const hermiteSlopes = (u: number) =>
  HERMITE.map((coefficients) =>
    coefficients.slice(1).reduceRight((sum, value, degree) => sum * u + value * (degree + 1), 0),
  );

import { InputError, stopGradient, tf } from '@palimpsest/tensor-core';
import { segmentCount } from './linspace.js';
import type { PathVelocity } from './path.js';
import { safeNorm } from './safe-norm.js';

export interface GreatCirclePath extends PathVelocity {
  /** `[B, P, d]` */
  readonly points: tf.Tensor;
}

export interface GreatCircleOptions {
  /**
   * `robust` (default) normalises both ends and stays on the sphere for every input, antipodes included. `clamped` is
   * the original slerp: through the origin for antipodes, off the sphere for ends that are not unit vectors.
   */
  readonly kind?: 'clamped' | 'robust';
}

/**
 * The great circle from `src` to `dst`, both `[B, d]`, at `nPts` equispaced parameters, with analytic tangents dx/dt
 * and the true midpoints of its segments. Differentiable in both ends.
 * @throws InputError for shapes that differ or fewer than two points.
 */
export function greatCirclePath(
  src: tf.Tensor,
  dst: tf.Tensor,
  nPts: number,
  { kind = 'robust' }: GreatCircleOptions = {},
): GreatCirclePath {
  if (src.rank !== 2 || src.shape.join() !== dst.shape.join()) {
    throw new InputError(
      `A great circle needs two ends of one shape [batch, d], but got [${src.shape.join(', ')}] and [${dst.shape.join(', ')}].`,
    );
  }
  const segments = segmentCount(nPts);
  const curve = kind === 'robust' ? robustCircle(src, dst) : clampedCircle(src, dst);
  const atPoints = parameters(nPts, (k) => k / segments);
  const between = parameters(segments, (k) => (k + 0.5) / segments);
  return {
    points: curve.at(atPoints),
    midpoints: curve.at(between),
    tangents: curve.tangent(atPoints),
    midpointTangents: curve.tangent(between),
  };
}

interface Curve {
  at(t: tf.Tensor): tf.Tensor;
  tangent(t: tf.Tensor): tf.Tensor;
}

const parameters = (count: number, value: (k: number) => number) =>
  tf.tensor3d(
    Float32Array.from({ length: count }, (_, k) => value(k)),
    [1, count, 1],
  );

const dot = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b), -1, true);
const perRow = (x: tf.Tensor) => tf.expandDims(x, 1);

function clampedCircle(src: tf.Tensor, dst: tf.Tensor): Curve {
  const angle = perRow(tf.acos(tf.clipByValue(dot(src, dst), -1 + 1e-7, 1 - 1e-7)));
  const sine = tf.maximum(tf.sin(angle), 1e-7);
  const [p, q] = [perRow(src), perRow(dst)];
  const combine = (a: tf.Tensor, b: tf.Tensor) =>
    tf.add(tf.mul(tf.div(a, sine), p), tf.mul(tf.div(b, sine), q));
  return {
    at: (t) => combine(tf.sin(tf.mul(tf.sub(1, t), angle)), tf.sin(tf.mul(t, angle))),
    tangent: (t) =>
      combine(
        tf.neg(tf.mul(angle, tf.cos(tf.mul(tf.sub(1, t), angle)))),
        tf.mul(angle, tf.cos(tf.mul(t, angle))),
      ),
  };
}

/** Below this sine the ends count as equal or antipodal. */
const DEGENERATE_SINE = 1e-6;

function robustCircle(src: tf.Tensor, dst: tf.Tensor): Curve {
  const { start, direction, angle } = startAndDirection(src, dst);
  const [p, u, theta] = [perRow(start), perRow(direction), perRow(angle)];
  return {
    at: (t) => {
      const phase = tf.mul(t, theta);
      return tf.add(tf.mul(tf.cos(phase), p), tf.mul(tf.sin(phase), u));
    },
    tangent: (t) => {
      const phase = tf.mul(t, theta);
      return tf.mul(theta, tf.sub(tf.mul(tf.cos(phase), u), tf.mul(tf.sin(phase), p)));
    },
  };
}

/**
 * The unit start p, the unit direction u orthogonal to it, and the angle, with x(t) = cos(tθ)p + sin(tθ)u. The part of
 * q orthogonal to p is formed from q ∓ p, which is exact in floating point where the ends are nearly (anti)parallel,
 * so that u keeps its digits there.
 */
export function startAndDirection(
  src: tf.Tensor,
  dst: tf.Tensor,
): { start: tf.Tensor; direction: tf.Tensor; angle: tf.Tensor } {
  const [srcNorm, dstNorm] = [tf.maximum(safeNorm(src), 1e-12), tf.maximum(safeNorm(dst), 1e-12)];
  const start = tf.div(src, srcNorm);
  const cosine = tf.div(dot(src, dst), tf.mul(srcNorm, dstNorm));
  const ahead = tf.greaterEqual(stopGradient(cosine), 0);
  const side = tf.where(ahead, tf.onesLike(cosine), tf.neg(tf.onesLike(cosine)));
  const reduced = tf.sub(dst, tf.mul(side, src));
  const once = tf.sub(reduced, tf.mul(dot(reduced, start), start));
  const across = tf.sub(once, tf.mul(dot(once, start), start));
  const acrossNorm = safeNorm(across);
  const sine = tf.div(acrossNorm, dstNorm);
  const degenerate = tf.less(stopGradient(sine), DEGENERATE_SINE);
  const safe = tf.where(degenerate, tf.onesLike(acrossNorm), acrossNorm);
  const direction = tf.where(degenerate, orthogonalAxis(start), tf.div(across, safe));
  // Not |cosine|, whose slope at 0 is not that of either side: the angle of orthogonal ends has one.
  const half = tf.mul(2, tf.atan(tf.div(sine, tf.add(1, tf.mul(side, cosine)))));
  const exact = tf.where(degenerate, tf.zerosLike(half), half);
  const angle = tf.where(ahead, half, tf.sub(Math.PI, exact));
  return { start, direction, angle };
}

/** The coordinate axis with the smallest |pᵢ|, made orthogonal to p and unit. */
function orthogonalAxis(p: tf.Tensor): tf.Tensor {
  const axis = tf.cast(tf.oneHot(tf.argMin(tf.abs(stopGradient(p)), -1), p.shape[1]!), 'float32');
  const orthogonal = tf.sub(axis, tf.mul(dot(axis, p), p));
  return tf.div(orthogonal, safeNorm(orthogonal));
}

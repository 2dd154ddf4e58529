import { InputError, tf } from '@palimpsest/tensor-core';
import { type ConnectionFn, FiberConnection } from './connection.js';
import type { Integrator } from './integrators.js';
import type { PathVelocity } from './path.js';
import { FiberTransporter } from './transporter.js';

/**
 * Holonomy: the rotation that a fiber has undergone after transport round a closed polyline `[B, P, d]` whose last point
 * is its first, `[B, F, F]`. One step per edge.
 * @param velocity tangents of a closed curve that is known between its points.
 */
export function holonomy(
  connection: FiberConnection | ConnectionFn,
  loop: tf.Tensor,
  integrator: Integrator = 'magnus4',
  velocity?: PathVelocity,
): tf.Tensor {
  const transporter = new FiberTransporter(connection, { integrator, normPolicy: 'none', subdivide: 1 });
  return transporter.transportMatrix(loop, velocity);
}

/** Step of the fourth-order difference quotient: balances h⁴ against rounding/h in single precision. */
const DIFFERENCE_STEP = 2e-2;

/**
 * Curvature F(u,v) = D_u A(x,v) − D_v A(x,u) + [A(x,u), A(x,v)] of a connection that is linear in v, at points x with
 * directions u and v, all `[B, d]`; `[B, F, F]`. With f' = −A f, transport round the small loop x → x+εu → x+εu+εv →
 * x+εv → x is I − ε²F + O(ε³).
 * @throws InputError for a learned connection that is not linear.
 */
export function curvature(
  connection: FiberConnection | ConnectionFn,
  x: tf.Tensor,
  u: tf.Tensor,
  v: tf.Tensor,
): tf.Tensor {
  if (connection instanceof FiberConnection && connection.kind !== 'linear') {
    throw new InputError(
      `Curvature needs a connection that is linear in the velocity, but this one is '${connection.kind}'.`,
    );
  }
  const evaluate: ConnectionFn =
    connection instanceof FiberConnection ? (at, velocity) => connection.forward(at, velocity) : connection;
  const alongU = directionalDerivative(evaluate, x, u, v);
  const alongV = directionalDerivative(evaluate, x, v, u);
  const [first, second] = [evaluate(x, u), evaluate(x, v)];
  const commutator = tf.sub(tf.matMul(first, second), tf.matMul(second, first));
  return tf.add(tf.sub(alongU, alongV), commutator);
}

/** D_direction A(x, v) by the five-point quotient (8(A₊ − A₋) − (A₊₊ − A₋₋))/12h. */
function directionalDerivative(
  connection: ConnectionFn,
  x: tf.Tensor,
  direction: tf.Tensor,
  v: tf.Tensor,
): tf.Tensor {
  const h = DIFFERENCE_STEP;
  const at = (steps: number) => connection(tf.add(x, tf.mul(direction, steps * h)), v);
  const near = tf.mul(tf.sub(at(1), at(-1)), 8);
  const far = tf.sub(at(2), at(-2));
  return tf.div(tf.sub(near, far), 12 * h);
}

/** Largest entry of |UᵀU − I| per matrix, `[B]`. */
export function orthogonalityDefect(matrices: tf.Tensor): tf.Tensor {
  const size = matrices.shape[matrices.rank - 1]!;
  const gram = tf.matMul(matrices, matrices, true, false);
  return tf.max(tf.abs(tf.sub(gram, tf.eye(size))), [-2, -1]);
}

/** Relative change of length |‖after‖ − ‖before‖| / ‖before‖ of fibers `[B, F]`, `[B]`. */
export function normDrift(before: tf.Tensor, after: tf.Tensor): tf.Tensor {
  const norm = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x), -1));
  return tf.div(tf.abs(tf.sub(norm(after), norm(before))), norm(before));
}

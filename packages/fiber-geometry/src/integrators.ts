import { InputError, tf } from '@palimpsest/tensor-core';
import { hostValues, isTracing } from './parameters.js';

/**
 * How a segment's samples of the connection become the step matrix U, f ← U f, of f' = −A f.
 * `rk4`: classical Runge–Kutta, not orthogonal. `polar`: rk4 brought back to the nearest rotation by two Newton–Schulz
 * steps. `magnus4`: exponential of the fourth-order Magnus expansion, orthogonal for any A. `cayley`: second order,
 * exactly time-reversible.
 */
export type Integrator = 'rk4' | 'polar' | 'magnus4' | 'cayley';

/** Squarings of the exponential inside compiled functions, where the norm cannot be read: enough for ‖Ω‖₁ ≤ 8. */
const TRACED_SQUARINGS = 4;

/** `[…, F, F]` at start, middle and end of a segment to step matrices `[…, F, F]`. */
export function stepMatrices(
  start: tf.Tensor,
  middle: tf.Tensor,
  end: tf.Tensor,
  integrator: Integrator,
): tf.Tensor {
  if (integrator === 'rk4') return rungeKutta(start, middle, end);
  if (integrator === 'polar') return nearestRotation(rungeKutta(start, middle, end));
  if (integrator === 'magnus4') return exponential(magnusExponent(start, middle, end));
  if (integrator === 'cayley') return cayley(middle);
  throw new InputError(
    `There is no integrator '${integrator as string}'; there are rk4, polar, magnus4 and cayley.`,
  );
}

/** The identity matrix, `[1, F, F]`, to be broadcast. */
function identityLike(x: tf.Tensor): tf.Tensor {
  const size = x.shape[x.rank - 1]!;
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return tf.tensor(data, [...new Array<number>(x.rank - 2).fill(1), size, size]);
}

function rungeKutta(start: tf.Tensor, middle: tf.Tensor, end: tf.Tensor): tf.Tensor {
  const identity = identityLike(start);
  const k1 = tf.neg(start);
  const k2 = tf.neg(tf.matMul(middle, tf.add(identity, tf.mul(k1, 0.5))));
  const k3 = tf.neg(tf.matMul(middle, tf.add(identity, tf.mul(k2, 0.5))));
  const k4 = tf.neg(tf.matMul(end, tf.add(identity, k3)));
  const sum = tf.add(tf.add(k1, k4), tf.mul(tf.add(k2, k3), 2));
  return tf.add(identity, tf.div(sum, 6));
}

/**
 * Two Newton–Schulz steps U ← U(3I − UᵀU)/2. A matrix that Runge–Kutta blew up (‖A‖ far above 1 per segment) is first
 * scaled to the Frobenius norm of a rotation, so that the result stays finite.
 */
function nearestRotation(u: tf.Tensor): tf.Tensor {
  const size = u.shape[u.rank - 1]!;
  const excess = tf.div(tf.sum(tf.square(u), [-2, -1], true), size);
  let rotation = tf.div(u, tf.sqrt(tf.maximum(excess, 1)));
  const three = tf.mul(identityLike(u), 3);
  for (let step = 0; step < 2; step++) {
    const gram = tf.matMul(rotation, rotation, true, false);
    rotation = tf.mul(tf.matMul(rotation, tf.sub(three, gram)), 0.5);
  }
  return rotation;
}

/** Ω = −(A0 + 4Am + A1)/6 − [A0, A1]/12. */
function magnusExponent(start: tf.Tensor, middle: tf.Tensor, end: tf.Tensor): tf.Tensor {
  const mean = tf.div(tf.add(tf.add(start, end), tf.mul(middle, 4)), 6);
  const commutator = tf.sub(tf.matMul(start, end), tf.matMul(end, start));
  return tf.neg(tf.add(mean, tf.div(commutator, 12)));
}

/** exp(Ω) by scaling and squaring with the Taylor polynomial of degree 8 (four products). */
export function exponential(omega: tf.Tensor): tf.Tensor {
  const squarings = isTracing() ? TRACED_SQUARINGS : neededSquarings(omega);
  const x = tf.div(omega, 2 ** squarings);
  const identity = identityLike(x);
  const x2 = tf.matMul(x, x);
  const x3 = tf.matMul(x2, x);
  const x4 = tf.matMul(x2, x2);
  const weighted = (terms: readonly (readonly [tf.Tensor, number])[]) =>
    terms.map(([power, factor]) => tf.mul(power, factor)).reduce((total, term) => tf.add(total, term));
  const high = weighted([
    [identity, 1 / 24],
    [x, 1 / 120],
    [x2, 1 / 720],
    [x3, 1 / 5040],
    [x4, 1 / 40320],
  ]);
  const low = weighted([
    [x, 1],
    [x2, 1 / 2],
    [x3, 1 / 6],
  ]);
  // exp − I is squared, (I + E)² = I + 2E + E², because the digits of a small E would be lost beside the identity.
  let excess = tf.add(low, tf.matMul(x4, high));
  for (let step = 0; step < squarings; step++) {
    excess = tf.add(tf.mul(excess, 2), tf.matMul(excess, excess));
  }
  return tf.add(identity, excess);
}

/** max(0, ⌈log2(‖Ω‖₁ / 0.5)⌉), the largest over the batch. */
function neededSquarings(omega: tf.Tensor): number {
  const tensor = tf.tidy(() => tf.max(tf.sum(tf.abs(omega), -2)));
  const norm = hostValues(tensor, 'The matrix exponential')[0]!;
  tensor.dispose();
  if (!Number.isFinite(norm)) {
    throw new InputError(
      'The connection gave NaN or infinity along the path; check its weights and the path.',
    );
  }
  return norm > 0 ? Math.max(0, Math.ceil(Math.log2(norm / 0.5))) : 0;
}

/** (I + A/2)⁻¹(I − A/2). */
function cayley(middle: tf.Tensor): tf.Tensor {
  const identity = identityLike(middle);
  const half = tf.mul(middle, 0.5);
  return tf.sub(tf.mul(inverse(tf.add(identity, half)), 2), identity);
}

/**
 * Inverse of matrices with a positive definite symmetric part (I plus antisymmetric), by Gauss–Jordan without pivoting,
 * unrolled over the rows, and one Newton step that removes its rounding.
 */
function inverse(matrix: tf.Tensor): tf.Tensor {
  const size = matrix.shape[matrix.rank - 1]!;
  const identity = identityLike(matrix);
  let left = matrix;
  let right: tf.Tensor = tf.add(tf.zerosLike(matrix), identity);
  for (let pivot = 0; pivot < size; pivot++) {
    const pivotRow = (x: tf.Tensor) => oneAlong(x, x.rank - 2, pivot);
    const column = oneAlong(left, left.rank - 1, pivot);
    const value = oneAlong(column, column.rank - 2, pivot);
    const unit = oneAlong(identity, identity.rank - 1, pivot);
    // Every row loses its multiple of the pivot row; the pivot row itself becomes itself over the pivot.
    const factors = tf.div(tf.sub(column, unit), value);
    const nextLeft = tf.sub(left, tf.matMul(factors, pivotRow(left)));
    right = tf.sub(right, tf.matMul(factors, pivotRow(right)));
    left = nextLeft;
  }
  const twice = tf.mul(identity, 2);
  return tf.matMul(right, tf.sub(twice, tf.matMul(matrix, right)));
}

/** The slice of extent 1 at `index` of an axis, which is kept. */
function oneAlong(x: tf.Tensor, axis: number, index: number): tf.Tensor {
  const begin = x.shape.map((_, dimension) => (dimension === axis ? index : 0));
  const size = x.shape.map((extent, dimension) => (dimension === axis ? 1 : extent));
  return tf.slice(x, begin, size);
}

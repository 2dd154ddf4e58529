import { InputError, type NDArray, ndarray, stopGradient, tf, zeros } from '@palimpsest/tensor-core';
import { christoffelSymbols } from './christoffel.js';
import type { MetricField } from './metric-field.js';
import { checkMlp, mlp } from './mlp.js';
import { DIAGONAL_FLOOR, MlpMetricField } from './mlp-field.js';
import { type MlpParameters, normalParameter, type RandomSource } from './parameters.js';
import { safeSqrt } from './safe-norm.js';
import { fillLowerTriangle, lowerTriangle } from './triangle.js';

export interface MetricParameters {
  readonly net: MlpParameters;
}

export interface MetricOptions {
  /** Hidden width as a multiple of the dimension. Default 4. */
  readonly hiddenMult?: number;
  /** Given parameters, as from a checkpoint. */
  readonly parameters?: MetricParameters;
  /** Source of fresh parameters when none are given. */
  readonly rng?: RandomSource;
}

/**
 * A learned Riemannian metric g(x) = L(x) L(x)ᵀ on R^d. L is lower triangular with a positive diagonal, so g is
 * symmetric positive definite for every parameter. `forward` and the others are pure functions of tensors and of the
 * parameters; inside a compiled function use `metric.bind(parameters)`.
 */
export class RiemannianMetric {
  readonly dimension: number;
  readonly hiddenMult: number;
  readonly parameters: MetricParameters;

  /** @throws InputError when neither parameters nor a random source is given, or a shape is wrong. */
  constructor(dimension: number, options: MetricOptions = {}) {
    const { hiddenMult = 4, parameters, rng } = options;
    this.dimension = dimension;
    this.hiddenMult = hiddenMult;
    if (!parameters && !rng) {
      throw new InputError('RiemannianMetric needs `parameters`, or an `rng` to draw fresh ones from.');
    }
    this.parameters = parameters ?? { net: initialMetricNet(dimension, hiddenMult, rng!) };
    checkMlp(this.parameters.net, metricSizes(dimension, hiddenMult), 'RiemannianMetric');
  }

  /** The same metric over other parameters, as the tensors of a compiled function. */
  bind(parameters: MetricParameters): RiemannianMetric {
    return new RiemannianMetric(this.dimension, { hiddenMult: this.hiddenMult, parameters });
  }

  /** Output of the network before it becomes L: `[B, d]` to `[B, d(d+1)/2]`, the lower triangle row by row. */
  raw(x: tf.Tensor): tf.Tensor {
    if (x.rank !== 2 || x.shape[1] !== this.dimension) {
      throw new InputError(
        `RiemannianMetric expects points of shape [rows, ${this.dimension}], but got [${x.shape.join(', ')}].`,
      );
    }
    return mlp(x, this.parameters.net);
  }

  /** The factor L: `[B, d]` to `[B, d, d]`. */
  cholesky(x: tf.Tensor): tf.Tensor {
    const { rows, columns } = lowerTriangle(this.dimension);
    const onDiagonal = tf.tensor2d(
      Float32Array.from(rows, (row, entry) => (row === columns[entry] ? 1 : 0)),
      [1, rows.length],
    );
    const raw = this.raw(x);
    const diagonal = tf.mul(tf.add(tf.softplus(raw), DIAGONAL_FLOOR), onDiagonal);
    const entries = tf.add(tf.mul(raw, tf.sub(1, onDiagonal)), diagonal);
    const flat = fillLowerTriangle(this.dimension).apply(entries, 1);
    return tf.reshape(flat, [x.shape[0]!, this.dimension, this.dimension]);
  }

  /** The metric g: `[B, d]` to `[B, d, d]`. */
  forward(x: tf.Tensor): tf.Tensor {
    const factor = this.cholesky(x);
    return tf.matMul(factor, factor, false, true);
  }

  /** √((x−y)ᵀ g((x+y)/2) (x−y)), `[B]`; the gradient flows through x−y only. */
  midpointDistance(x: tf.Tensor, y: tf.Tensor): tf.Tensor {
    const factor = stopGradient(this.cholesky(tf.mul(tf.add(x, y), 0.5)));
    const difference = tf.expandDims(tf.sub(x, y), 1);
    const projected = tf.squeeze(tf.matMul(difference, factor), [1]);
    return safeSqrt(tf.sum(tf.square(projected), -1));
  }

  /** Γ^k_ij at host points `[B, d]`, as `[B, k, i, j]`; computed in double precision. */
  christoffel(x: NDArray<'float32'>): NDArray<'float32'> {
    const symbols = christoffelSymbols(this.field(), Float64Array.from(x.data), x.shape[0]!);
    return ndarray(Float32Array.from(symbols), [x.shape[0]!, ...new Array<number>(3).fill(this.dimension)]);
  }

  /** The metric on the host in double precision, for geodesics. Needs parameters with readable values. */
  field(): MetricField {
    return new MlpMetricField(this.dimension, this.parameters.net);
  }
}

function metricSizes(dimension: number, hiddenMult: number): number[] {
  const hidden = hiddenMult * dimension;
  return [dimension, hidden, hidden, (dimension * (dimension + 1)) / 2];
}

/** Xavier normal weights, zero biases, and a last layer near zero, so that g starts near 0.48 I. */
function initialMetricNet(dimension: number, hiddenMult: number, rng: RandomSource): MlpParameters {
  const sizes = metricSizes(dimension, hiddenMult);
  const layer = (index: number, std?: number) => {
    const [inputs, outputs] = [sizes[index]!, sizes[index + 1]!];
    return {
      weight: normalParameter(rng, [outputs, inputs], std ?? Math.sqrt(2 / (inputs + outputs))),
      bias: zeros([outputs]),
    };
  };
  return { 0: layer(0), 2: layer(1), 4: layer(2, 0.02) };
}

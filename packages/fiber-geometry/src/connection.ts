import { InputError, isNDArray, type NDArray, ndarray, stopGradient, tf } from '@palimpsest/tensor-core';
import { affineProduct } from './affine.js';
import type { GatherMap } from './gather-map.js';
import type { MetricParameters, RiemannianMetric } from './metric.js';
import { checkMlp, hiddenLayers, mlp } from './mlp.js';
import {
  asTensor,
  isTracing,
  type LinearParameters,
  type MlpParameters,
  normalParameter,
  type Parameter,
  type RandomSource,
  uniformParameter,
} from './parameters.js';
import { safeNorm } from './safe-norm.js';
import { fillAntisymmetric, takeUpperTriangle } from './triangle.js';

/** A connection: points x and velocities v, both `[rows, d]`, to antisymmetric generators `[rows, F, F]`. */
export type ConnectionFn = (x: tf.Tensor, v: tf.Tensor) => tf.Tensor;

/**
 * `reference`: the original network of (x, v, g(x)), which is neither zero at v = 0 nor odd in v.
 * `homogeneous`: the same weights made odd and homogeneous of degree one in v, so that transport does not depend on
 * how a curve is parametrised. `linear`: a true connection 1-form, linear in v.
 */
export type ConnectionKind = 'reference' | 'homogeneous' | 'linear';

export interface ConnectionParameters {
  readonly net: MlpParameters;
  /** `[rank, F, F]`, only for the linear kind. */
  readonly generators?: Parameter | undefined;
}

export interface ConnectionOptions {
  /** Default `linear`. */
  readonly kind?: ConnectionKind;
  /** Whether gradients reach the metric through g(x). Default true. */
  readonly gradCoupling?: boolean;
  /** Generators of the linear kind. Default min(16, F(F−1)/2). */
  readonly rank?: number | undefined;
  readonly parameters?: ConnectionParameters;
  readonly rng?: RandomSource;
}

const TINY_SPEED = 1e-12;

/**
 * A learned connection A(x, v) on a bundle with base R^d and fiber R^F: antisymmetric by construction, hence a
 * generator of rotations. It reads the metric of the bundle, which it shares.
 */
export class FiberConnection {
  readonly kind: ConnectionKind;
  readonly gradCoupling: boolean;
  readonly rank: number;
  readonly parameters: ConnectionParameters;
  #hostHead: LinearParameters | undefined;
  #hostFullHead: LinearParameters | undefined;
  #preparedHead: LinearParameters | undefined;

  /** @throws InputError when neither parameters nor a random source is given, or a shape is wrong. */
  constructor(
    readonly dBase: number,
    readonly dFiber: number,
    readonly metric: RiemannianMetric,
    options: ConnectionOptions = {},
  ) {
    const { kind = 'linear', gradCoupling = true, parameters, rng } = options;
    this.kind = kind;
    this.gradCoupling = gradCoupling;
    this.rank = options.rank ?? Math.min(16, (dFiber * (dFiber - 1)) / 2);
    if (!parameters && !rng) {
      throw new InputError('FiberConnection needs `parameters`, or an `rng` to draw fresh ones from.');
    }
    this.parameters = parameters ?? initialParameters(this.#sizes(), this.rank, dFiber, kind, rng!);
    this.#check();
  }

  /** The same connection over other parameters, as the tensors of a compiled function. */
  bind(parameters: ConnectionParameters, metric: MetricParameters): FiberConnection {
    const { kind, gradCoupling, rank } = this;
    const bound = this.metric.bind(metric);
    return new FiberConnection(this.dBase, this.dFiber, bound, { kind, gradCoupling, rank, parameters });
  }

  /**
   * This connection with its last layer folded once, for several evaluations inside one function. The result belongs to
   * that function: it holds tensors made from the present parameters.
   */
  prepared(): FiberConnection {
    if (this.kind === 'linear') return this;
    const head = isTracing() ? this.#constantHead() : this.#fold();
    if (!head) return this;
    const { kind, gradCoupling, rank, parameters } = this;
    const copy = new FiberConnection(this.dBase, this.dFiber, this.metric, {
      kind,
      gradCoupling,
      rank,
      parameters,
    });
    copy.#preparedHead = head;
    return copy;
  }

  /** A(x, v): `[rows, d]` and `[rows, d]` to `[rows, F, F]`, exactly antisymmetric. */
  forward(x: tf.Tensor, v: tf.Tensor): tf.Tensor {
    return this.atPoints(x, this.describePoints(x), v);
  }

  /**
   * What the connection needs to know of points, whatever the velocity: g(x) for the network kinds, the coefficients
   * W(x) `[rows, rank·d]` for the linear kind. Points that several velocities share are described once.
   */
  describePoints(x: tf.Tensor): tf.Tensor {
    const gamma = this.#metricFeatures(x);
    return this.kind === 'linear' ? mlp(tf.concat([x, gamma], 1), this.parameters.net) : gamma;
  }

  /** A(x, v) at points whose description is known. */
  atPoints(x: tf.Tensor, description: tf.Tensor, v: tf.Tensor): tf.Tensor {
    if (this.kind === 'linear') return this.#linear(description, v);
    if (this.kind === 'homogeneous') return this.#homogeneous(x, description, v);
    return this.#head(hiddenLayers(tf.concat([x, v, description], 1), this.parameters.net), true);
  }

  /** W(x) of the linear kind, `[rows, rank, d]`. */
  coefficients(x: tf.Tensor): tf.Tensor {
    if (this.kind !== 'linear') throw new InputError('Only a linear connection has coefficients.');
    return tf.reshape(this.describePoints(x), [x.shape[0]!, this.rank, this.dBase]);
  }

  #metricFeatures(x: tf.Tensor): tf.Tensor {
    const d = this.dBase;
    const metric = tf.reshape(this.metric.forward(x), [x.shape[0]!, d * d]);
    const gamma = takeUpperTriangle(d).apply(metric, 1);
    return this.gradCoupling ? gamma : stopGradient(gamma);
  }

  /** n·(A(x,u) − A(x,−u))/2: the last layer is linear, so the two halves share it and its bias cancels. */
  #homogeneous(x: tf.Tensor, gamma: tf.Tensor, v: tf.Tensor): tf.Tensor {
    const speed = safeNorm(v);
    const moves = tf.greater(stopGradient(speed), TINY_SPEED);
    const divisor = tf.where(moves, speed, tf.onesLike(speed));
    const direction = tf.where(moves, tf.div(v, divisor), tf.zerosLike(v));
    const forth = tf.concat([x, direction, gamma], 1);
    const back = tf.concat([x, tf.neg(direction), gamma], 1);
    const hidden = hiddenLayers(tf.concat([forth, back], 0), this.parameters.net);
    const [ahead, behind] = tf.split(hidden, 2, 0) as [tf.Tensor, tf.Tensor];
    const odd = tf.mul(tf.sub(ahead, behind), tf.mul(speed, 0.5));
    return this.#head(odd, false);
  }

  /**
   * The last layer's antisymmetric part. Eager engines compute F(F−1)/2 outputs of the folded layer; graphs compute all
   * F² and subtract the transpose, because there spreading single numbers costs more than the products it saves.
   */
  #head(hidden: tf.Tensor, withBias: boolean): tf.Tensor {
    const shape = [hidden.shape[0]!, this.dFiber, this.dFiber];
    const head = this.#preparedHead ?? (isTracing() ? this.parameters.net[4] : this.#fold());
    const product = affineProduct(hidden, asTensor(head.weight));
    const outputs = withBias ? tf.add(product, asTensor(head.bias)) : product;
    if (!isTracing()) return tf.reshape(fillAntisymmetric(this.dFiber).apply(outputs, 1), shape);
    const full = tf.reshape(outputs, shape);
    if (this.#preparedHead) return full;
    const half = tf.mul(full, 0.5);
    return tf.sub(half, tf.transpose(half, [0, 2, 1]));
  }

  /** In a graph whose weights are constants: all F² rows of (W − Wᵀ)/2, so that nothing is left to subtract. */
  #constantHead(): LinearParameters | undefined {
    const { weight, bias } = this.parameters.net[4];
    if (!isNDArray(weight) || !isNDArray(bias)) return undefined;
    const map = fillAntisymmetric(this.dFiber);
    this.#hostFullHead ??= {
      weight: spreadOnHost(map, foldOnHost(map, weight)),
      bias: spreadOnHost(map, foldOnHost(map, bias)),
    };
    return this.#hostFullHead;
  }

  /** Rows (i < j) of (W_ij − W_ji)/2; on the host once when the parameters are host arrays. */
  #fold(): LinearParameters {
    const map = fillAntisymmetric(this.dFiber);
    const { weight, bias } = this.parameters.net[4];
    if (isNDArray(weight) && isNDArray(bias)) {
      this.#hostHead ??= { weight: foldOnHost(map, weight), bias: foldOnHost(map, bias) };
      return this.#hostHead;
    }
    const half = (parameter: Parameter) => tf.mul(map.applyAdjoint(asTensor(parameter), 0), 0.5);
    return { weight: half(weight), bias: half(bias) };
  }

  #linear(description: tf.Tensor, v: tf.Tensor): tf.Tensor {
    const rows = v.shape[0]!;
    const map = fillAntisymmetric(this.dFiber);
    const weights = tf.reshape(description, [rows, this.rank, this.dBase]);
    const amounts = tf.squeeze(tf.matMul(weights, tf.expandDims(v, 2)), [2]);
    const generators = tf.reshape(asTensor(this.parameters.generators!), [this.rank, this.dFiber ** 2]);
    const upper = tf.mul(map.applyAdjoint(generators, 1), 0.5);
    const combined = tf.matMul(amounts as tf.Tensor2D, upper as tf.Tensor2D);
    return tf.reshape(map.apply(combined, 1), [rows, this.dFiber, this.dFiber]);
  }

  #sizes(): number[] {
    const features = this.dBase + (this.dBase * (this.dBase + 1)) / 2;
    const hidden = 4 * this.dFiber;
    return this.kind === 'linear'
      ? [features, hidden, hidden, this.rank * this.dBase]
      : [features + this.dBase, hidden, hidden, this.dFiber ** 2];
  }

  #check(): void {
    checkMlp(this.parameters.net, this.#sizes(), `FiberConnection (${this.kind})`);
    if (this.kind !== 'linear') return;
    const expected = [this.rank, this.dFiber, this.dFiber].join(', ');
    const given = this.parameters.generators?.shape.join(', ');
    if (given !== expected) {
      throw new InputError(
        `A linear connection needs generators of shape [${expected}], but got ${given ? `[${given}]` : 'none'}.`,
      );
    }
  }
}

function foldOnHost(map: GatherMap, { data, shape }: NDArray): NDArray<'float32'> {
  const folded = map.adjointOnHost(data as Float32Array, shape).map((value) => value / 2);
  const rows = folded.length / (shape[1] ?? 1);
  return ndarray(folded, [rows, ...shape.slice(1)]);
}

function spreadOnHost(map: GatherMap, { data, shape }: NDArray<'float32'>): NDArray<'float32'> {
  const spread = map.onHost(data, shape);
  return ndarray(spread, [spread.length / (shape[1] ?? 1), ...shape.slice(1)]);
}

/** Uniform ±1/√fan_in for the hidden layers, N(0, 0.01²) for the last, N(0, 1/F) for the generators. */
function initialParameters(
  sizes: readonly number[],
  rank: number,
  dFiber: number,
  kind: ConnectionKind,
  rng: RandomSource,
): ConnectionParameters {
  const hidden = (index: number) => {
    const [inputs, outputs] = [sizes[index]!, sizes[index + 1]!];
    const bound = 1 / Math.sqrt(inputs);
    return {
      weight: uniformParameter(rng, [outputs, inputs], bound),
      bias: uniformParameter(rng, [outputs], bound),
    };
  };
  const net = {
    0: hidden(0),
    2: hidden(1),
    4: {
      weight: normalParameter(rng, [sizes[3]!, sizes[2]!], 0.01),
      bias: normalParameter(rng, [sizes[3]!], 0.01),
    },
  };
  if (kind !== 'linear') return { net };
  return { net, generators: normalParameter(rng, [rank, dFiber, dFiber], Math.sqrt(1 / dFiber)) };
}

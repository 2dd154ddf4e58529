import { maximum } from '@palimpsest/base';
import { InputError, type NDArray, ndarray, tf } from '@palimpsest/tensor-core';
import { adamGeodesics } from './geodesic-adam.js';
import { PathEnergy, straightPaths } from './geodesic-energy.js';
import { lbfgsGeodesics } from './geodesic-lbfgs.js';
import { RiemannianMetric } from './metric.js';
import type { MetricField } from './metric-field.js';
import { linearPath } from './path.js';

export type GeodesicMethod = 'adam' | 'h1-lbfgs' | 'straight';

export interface GeodesicOptions {
  /** Default `h1-lbfgs`; `adam` is the original, `straight` does not solve. */
  readonly method?: GeodesicMethod;
  /** Interior points. Default 8. */
  readonly nGeoPts?: number;
  /** Iterations at most. Default 60 (80 for `adam`). */
  readonly maxSteps?: number;
  /** Relative decrease of the energy that stops an item. Default 1e-6 (1e-5 for `adam`, on the batch's sum). */
  readonly tol?: number;
  /** Learning rate of `adam`. Default 0.02. */
  readonly lr?: number;
  /** Pairs of L-BFGS. Default 6. */
  readonly history?: number;
}

/** What a solve found and how sure it is. */
export interface GeodesicReport {
  /** `[B, N + 2, d]`; the first and last rows are the given ends, bit for bit. */
  readonly path: NDArray<'float32'>;
  /** Summed over the batch. In `adam` mode that of the path before the last update, and +∞ on overflow. */
  readonly energy: number;
  /** Energy of the returned path per item, Σ δᵀ g(m) δ without the factor N + 1. */
  readonly energyPerItem: Float64Array;
  /** √((N+1)·energy) per item: the length of the discrete geodesic. */
  readonly length: Float64Array;
  /** Whether every item stopped by its own test. */
  readonly converged: boolean;
  readonly convergedPerItem: readonly boolean[];
  /** The largest over the items. */
  readonly iterations: number;
  readonly iterationsPerItem: Int32Array;
  /** Batched evaluations of the metric. */
  readonly evaluations: number;
  /** Energies before every update, in `adam` mode. */
  readonly energyHistory: readonly number[];
}

/**
 * Geodesics between given ends under a metric, as paths of N + 2 points of least discrete energy. Iterates on the host
 * in double precision with closed-form gradients; it needs the values of the metric's parameters, so inside a compiled
 * function solve first and pass the path in. Parameters are read, never changed.
 */
export class GeodesicSolver {
  readonly method: GeodesicMethod;
  readonly nGeoPts: number;
  readonly maxSteps: number;
  readonly tol: number;
  readonly lr: number;
  readonly history: number;

  /** @throws InputError naming an option out of range. */
  constructor(
    readonly metric: RiemannianMetric | MetricField,
    options: GeodesicOptions = {},
  ) {
    this.method = options.method ?? 'h1-lbfgs';
    const parity = this.method === 'adam';
    this.nGeoPts = atLeast('nGeoPts', options.nGeoPts ?? 8, 1);
    this.maxSteps = atLeast('maxSteps', options.maxSteps ?? (parity ? 80 : 60), 0);
    this.history = atLeast('history', options.history ?? 6, 1);
    this.tol = positive('tol', options.tol ?? (parity ? 1e-5 : 1e-6));
    this.lr = positive('lr', options.lr ?? 0.02);
  }

  /**
   * Solves for ends `xs` and `xe`, both `[B, d]`.
   * @throws InputError for shapes that differ or values that are not finite.
   */
  solve(xs: NDArray<'float32'>, xe: NDArray<'float32'>): GeodesicReport {
    const field = this.metric instanceof RiemannianMetric ? this.metric.field() : this.metric;
    checkEnds(xs, xe, field.dimension);
    const ends = { xs: Float64Array.from(xs.data), xe: Float64Array.from(xe.data) };
    if (this.method === 'adam') return this.#adam(field, ends);
    return this.method === 'h1-lbfgs' ? this.#lbfgs(field, ends) : this.#straight(field, ends);
  }

  /** Equispaced points on the straight line, `[B, N + 2, d]`; differentiable in both ends. */
  linearPath(xs: tf.Tensor, xe: tf.Tensor): tf.Tensor {
    return linearPath(xs, xe, this.nGeoPts);
  }

  /**
   * The path `[xs; interior; xe]` of a report as a tensor, through whose end rows alone gradients reach xs and xe.
   * @param path `report.path`, or the same as a tensor of the running function.
   */
  withEnds(xs: tf.Tensor, xe: tf.Tensor, path: NDArray<'float32'> | tf.Tensor): tf.Tensor {
    const solved = path instanceof tf.Tensor ? path : tf.tensor(path.data, [...path.shape]);
    const interior = tf.slice(solved, [0, 1, 0], [-1, this.nGeoPts, -1]);
    return tf.concat([tf.expandDims(xs, 1), interior, tf.expandDims(xe, 1)], 1);
  }

  #adam(field: MetricField, { xs, xe }: Ends): GeodesicReport {
    const { paths, energy, history, converged, iterations } = adamGeodesics(field, xs, xe, this);
    const items = xs.length / field.dimension;
    return this.#report(field, paths, {
      energy,
      energyPerItem: this.#energies(field, paths, items),
      converged: new Array<boolean>(items).fill(converged),
      iterations: new Int32Array(items).fill(iterations),
      evaluations: history.length,
      history,
    });
  }

  #lbfgs(field: MetricField, { xs, xe }: Ends): GeodesicReport {
    const result = lbfgsGeodesics(field, xs, xe, this);
    return this.#report(field, result.paths, {
      energyPerItem: result.energy,
      converged: Array.from(result.converged, Boolean),
      iterations: result.iterations,
      evaluations: result.evaluations,
    });
  }

  #straight(field: MetricField, { xs, xe }: Ends): GeodesicReport {
    const items = xs.length / field.dimension;
    const paths = straightPaths(xs, xe, field.dimension, this.nGeoPts);
    return this.#report(field, paths, {
      energyPerItem: this.#energies(field, paths, items),
      converged: new Array<boolean>(items).fill(true),
      iterations: new Int32Array(items),
      evaluations: 1,
    });
  }

  #energies(field: MetricField, paths: Float64Array, items: number): Float64Array {
    const model = new PathEnergy(field, { items, points: this.nGeoPts + 2, d: field.dimension });
    model.evaluate(paths);
    return model.energy;
  }

  #report(field: MetricField, paths: Float64Array, found: Found): GeodesicReport {
    const { energyPerItem, converged, iterations, evaluations, history = [] } = found;
    const shape = [energyPerItem.length, this.nGeoPts + 2, field.dimension];
    return {
      path: ndarray(Float32Array.from(paths), shape),
      energy: found.energy ?? energyPerItem.reduce((sum, value) => sum + value, 0),
      energyPerItem,
      length: energyPerItem.map((value) => Math.sqrt((this.nGeoPts + 1) * value)),
      converged: converged.every(Boolean),
      convergedPerItem: converged,
      iterations: maximum(iterations, 0),
      iterationsPerItem: iterations,
      evaluations,
      energyHistory: history,
    };
  }
}

interface Ends {
  readonly xs: Float64Array;
  readonly xe: Float64Array;
}

interface Found {
  readonly energy?: number;
  readonly energyPerItem: Float64Array;
  readonly converged: readonly boolean[];
  readonly iterations: Int32Array;
  readonly evaluations: number;
  readonly history?: readonly number[];
}

function checkEnds(xs: NDArray, xe: NDArray, d: number): void {
  if (xs.shape.length !== 2 || xs.shape[1] !== d || xs.shape.join() !== xe.shape.join()) {
    throw new InputError(
      `A geodesic needs two ends of shape [batch, ${d}], but got [${xs.shape.join(', ')}] and [${xe.shape.join(', ')}].`,
    );
  }
  for (const [name, end] of [
    ['start', xs],
    ['end', xe],
  ] as const) {
    const bad = end.data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new InputError(`The ${name} of a geodesic holds ${end.data[bad]} at element ${bad}.`);
  }
}

function atLeast(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new InputError(
    `GeodesicSolver: '${name}' must be a whole number of at least ${least}, but is ${value}.`,
  );
}

function positive(name: string, value: number): number {
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InputError(`GeodesicSolver: '${name}' must be a positive number, but is ${value}.`);
}

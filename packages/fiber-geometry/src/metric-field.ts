/**
 * A Riemannian metric evaluated on the host in double precision, for what iterates until it converges: geodesic
 * solvers, Christoffel symbols and the exponential map.
 */
export interface MetricField {
  /** Dimension d of the base manifold. */
  readonly dimension: number;
  /**
   * Energy δᵀ g(m) δ of `count` straight pieces, with its gradients. All arrays are row-major `[count, d]`, except
   * `energy` and `meanDiagonal` `[count]`; what is given is overwritten.
   */
  segmentEnergy(pieces: SegmentEnergy): void;
  /** g(x) for `count` points, `[count, d, d]`. */
  metricAt(points: Float64Array, count: number): Float64Array;
  /** ∂_l g_ij(x) for `count` points, `[count, i, j, l]`. */
  metricGradientAt(points: Float64Array, count: number): Float64Array;
}

export interface SegmentEnergy {
  readonly count: number;
  readonly midpoints: Float64Array;
  readonly deltas: Float64Array;
  readonly energy: Float64Array;
  /** Mean diagonal entry of g(m): the scale λ of the solver's preconditioner. */
  readonly meanDiagonal: Float64Array;
  /** ∂E/∂δ */
  readonly deltaGradient: Float64Array;
  /** ∂E/∂m */
  readonly midpointGradient: Float64Array;
}

/** A metric φ(‖x‖²)·I. */
export class ConformalField implements MetricField {
  constructor(
    readonly dimension: number,
    /** φ as a function of the squared norm, with its derivative. */
    private readonly factor: (squaredNorm: number) => { value: number; derivative: number },
  ) {}

  segmentEnergy(pieces: SegmentEnergy): void {
    const d = this.dimension;
    for (let n = 0; n < pieces.count; n++) {
      const at = n * d;
      const { value, derivative } = this.factor(squaredNorm(pieces.midpoints, at, d));
      const length = squaredNorm(pieces.deltas, at, d);
      pieces.energy[n] = value * length;
      pieces.meanDiagonal[n] = value;
      for (let i = 0; i < d; i++) {
        pieces.deltaGradient[at + i] = 2 * value * pieces.deltas[at + i]!;
        pieces.midpointGradient[at + i] = 2 * derivative * length * pieces.midpoints[at + i]!;
      }
    }
  }

  metricAt(points: Float64Array, count: number): Float64Array {
    const d = this.dimension;
    const metric = new Float64Array(count * d * d);
    for (let n = 0; n < count; n++) {
      const { value } = this.factor(squaredNorm(points, n * d, d));
      for (let i = 0; i < d; i++) metric[(n * d + i) * d + i] = value;
    }
    return metric;
  }

  metricGradientAt(points: Float64Array, count: number): Float64Array {
    const d = this.dimension;
    const gradient = new Float64Array(count * d * d * d);
    for (let n = 0; n < count; n++) {
      const { derivative } = this.factor(squaredNorm(points, n * d, d));
      for (let i = 0; i < d; i++) {
        for (let l = 0; l < d; l++) {
          gradient[((n * d + i) * d + i) * d + l] = 2 * derivative * points[n * d + l]!;
        }
      }
    }
    return gradient;
  }
}

function squaredNorm(values: Float64Array, at: number, d: number): number {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += values[at + i]! ** 2;
  return sum;
}

/** The Poincaré ball's metric 4/(1−‖x‖²)² I (curvature −1). */
export function poincareBallField(dimension: number): MetricField {
  return new ConformalField(dimension, (s) => ({ value: 4 / (1 - s) ** 2, derivative: 8 / (1 - s) ** 3 }));
}

/** The unit sphere in stereographic coordinates, 4/(1+‖x‖²)² I (curvature +1). */
export function stereographicSphereField(dimension: number): MetricField {
  return new ConformalField(dimension, (s) => ({ value: 4 / (1 + s) ** 2, derivative: -8 / (1 + s) ** 3 }));
}

/** The flat metric I. */
export function euclideanField(dimension: number): MetricField {
  return new ConformalField(dimension, () => ({ value: 1, derivative: 0 }));
}

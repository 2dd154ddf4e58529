import type { MetricField, SegmentEnergy } from './metric-field.js';

/** Paths of a batch, `[items, points, d]`, points including both ends. */
export interface PathBatch {
  readonly items: number;
  readonly points: number;
  readonly d: number;
}

/**
 * Discrete energy Σ_n δ_nᵀ g(m_n) δ_n of every path of a batch (no factor N+1), with its gradient at the interior
 * points and the mean diagonal entry of g along the path. All pieces of all items go through the metric in one call.
 */
export class PathEnergy {
  /** Energy per item. */
  readonly energy: Float64Array;
  /** ∂E/∂X at the interior points, `[items, points − 2, d]`. */
  readonly gradient: Float64Array;
  /** Mean over the midpoints of the mean diagonal entry of g, per item. */
  readonly scale: Float64Array;
  readonly #pieces: SegmentEnergy;

  constructor(
    private readonly field: MetricField,
    readonly batch: PathBatch,
  ) {
    const { items, points, d } = batch;
    const count = items * (points - 1);
    this.energy = new Float64Array(items);
    this.scale = new Float64Array(items);
    this.gradient = new Float64Array(items * (points - 2) * d);
    const table = () => new Float64Array(count * d);
    this.#pieces = {
      count,
      midpoints: table(),
      deltas: table(),
      energy: new Float64Array(count),
      meanDiagonal: new Float64Array(count),
      deltaGradient: table(),
      midpointGradient: table(),
    };
  }

  /** Fills `energy`, `gradient` and `scale` for `paths` `[items, points, d]`. */
  evaluate(paths: Float64Array): void {
    const { items, points, d } = this.batch;
    const segments = points - 1;
    const pieces = this.#pieces;
    for (let item = 0; item < items; item++) {
      for (let e = 0; e < segments * d; e++) {
        const from = paths[item * points * d + e]!;
        const to = paths[item * points * d + e + d]!;
        pieces.deltas[item * segments * d + e] = to - from;
        pieces.midpoints[item * segments * d + e] = (to + from) / 2;
      }
    }
    this.field.segmentEnergy(pieces);
    for (let item = 0; item < items; item++) this.#collect(item);
  }

  #collect(item: number): void {
    const { points, d } = this.batch;
    const segments = points - 1;
    const { energy, meanDiagonal, deltaGradient, midpointGradient } = this.#pieces;
    let total = 0;
    let diagonal = 0;
    for (let n = item * segments; n < (item + 1) * segments; n++) {
      total += energy[n]!;
      diagonal += meanDiagonal[n]!;
    }
    this.energy[item] = total;
    this.scale[item] = diagonal / segments;
    const inner = (points - 2) * d;
    for (let e = 0; e < inner; e++) {
      const before = item * segments * d + e;
      const after = before + d;
      this.gradient[item * inner + e] =
        deltaGradient[before]! -
        deltaGradient[after]! +
        (midpointGradient[before]! + midpointGradient[after]!) / 2;
    }
  }
}

/** Straight equispaced paths `[items, interior + 2, d]` between host points `[items, d]`. */
export function straightPaths(xs: Float64Array, xe: Float64Array, d: number, interior: number): Float64Array {
  const points = interior + 2;
  const items = xs.length / d;
  const paths = new Float64Array(items * points * d);
  for (let item = 0; item < items; item++) {
    for (let k = 0; k < points; k++) {
      const t = k / (points - 1);
      for (let i = 0; i < d; i++) {
        const [start, end] = [xs[item * d + i]!, xe[item * d + i]!];
        const value = k === 0 ? start : k === points - 1 ? end : start * (1 - t) + end * t;
        paths[(item * points + k) * d + i] = value;
      }
    }
  }
  return paths;
}

import { PathEnergy, straightPaths } from './geodesic-energy.js';
import type { MetricField } from './metric-field.js';

export interface LbfgsSettings {
  readonly nGeoPts: number;
  readonly maxSteps: number;
  readonly tol: number;
  /** Pairs of the limited-memory matrix. */
  readonly history: number;
}

export interface LbfgsResult {
  readonly paths: Float64Array;
  /** Energy of the returned path, per item. */
  readonly energy: Float64Array;
  readonly iterations: Int32Array;
  /** Whether the item stopped by itself before `maxSteps`. */
  readonly converged: Uint8Array;
  /** Calls of the metric for the whole batch. */
  readonly evaluations: number;
}

const MOST_HALVINGS = 12;
const SUFFICIENT_DECREASE = 1e-4;

interface Item {
  readonly index: number;
  /** Interior points, their gradient and energy at the accepted path. */
  x: Float64Array;
  gradient: Float64Array;
  energy: number;
  scale: number;
  readonly pairs: { s: Float64Array; y: Float64Array; rho: number }[];
  direction: Float64Array;
  slope: number;
  step: number;
  searching: boolean;
  done: boolean;
  converged: boolean;
  iterations: number;
}

/**
 * Geodesics by L-BFGS per item with the H¹ preconditioner T⁻¹/(2λ): for a flat metric it is Newton's step, so a handful
 * of iterations do (DERIVATION.md, "Geodesics"). The metric is evaluated for all items that still move at once; an
 * item's result does not depend on its batch mates.
 */
export function lbfgsGeodesics(
  field: MetricField,
  xs: Float64Array,
  xe: Float64Array,
  settings: LbfgsSettings,
): LbfgsResult {
  const d = field.dimension;
  const count = xs.length / d;
  const points = settings.nGeoPts + 2;
  const paths = straightPaths(xs, xe, d, settings.nGeoPts);
  const result: LbfgsResult = {
    paths,
    energy: new Float64Array(count),
    iterations: new Int32Array(count),
    converged: new Uint8Array(count).fill(1),
    evaluations: 0,
  };
  const moving = [...Array(count).keys()].filter((index) => !endsCoincide(xs, xe, index, d));
  if (moving.length === 0) return result;
  const search = new BatchSearch(field, paths, points, moving, settings);
  search.run();
  for (const item of search.items) {
    paths.set(item.x, item.index * points * d + d);
    result.energy[item.index] = item.energy;
    result.iterations[item.index] = item.iterations;
    result.converged[item.index] = item.converged ? 1 : 0;
  }
  return { ...result, evaluations: search.evaluations };
}

function endsCoincide(xs: Float64Array, xe: Float64Array, index: number, d: number): boolean {
  let distance = 0;
  let size = 0;
  for (let i = index * d; i < (index + 1) * d; i++) {
    distance += (xe[i]! - xs[i]!) ** 2;
    size += xs[i]! ** 2;
  }
  return Math.sqrt(distance) <= 1e-6 * (1 + Math.sqrt(size));
}

class BatchSearch {
  readonly items: Item[];
  evaluations = 0;
  readonly #inverse: Float64Array;
  readonly #d: number;
  readonly #inner: number;

  constructor(
    private readonly field: MetricField,
    private readonly paths: Float64Array,
    private readonly points: number,
    indices: readonly number[],
    private readonly settings: LbfgsSettings,
  ) {
    this.#d = field.dimension;
    this.#inner = points - 2;
    this.#inverse = inverseTridiagonal(this.#inner);
    const width = this.#inner * this.#d;
    this.items = indices.map((index) => ({
      index,
      x: paths.slice(index * points * this.#d + this.#d, index * points * this.#d + this.#d + width),
      gradient: new Float64Array(width),
      energy: 0,
      scale: 1,
      pairs: [],
      direction: new Float64Array(width),
      slope: 0,
      step: 1,
      searching: false,
      done: false,
      converged: false,
      iterations: 0,
    }));
  }

  run(): void {
    const start = this.#evaluate(this.items, (item) => item.x);
    this.items.forEach((item, row) => {
      item.energy = start.energy[row]!;
      item.scale = start.scale[row]!;
      item.gradient = this.#row(start.gradient, row);
      if (!Number.isFinite(item.energy)) item.done = true;
    });
    for (let iteration = 0; iteration < this.settings.maxSteps; iteration++) {
      const active = this.items.filter((item) => !item.done);
      if (active.length === 0) return;
      for (const item of active) this.#chooseDirection(item);
      this.#lineSearch(active);
    }
  }

  #chooseDirection(item: Item): void {
    const direction = this.#twoLoop(item);
    let slope = dot(direction, item.gradient);
    item.direction = direction;
    if (!(slope > 0)) {
      item.direction = this.#precondition(item.gradient, item.scale);
      slope = dot(item.direction, item.gradient);
    }
    item.slope = slope;
    item.step = 1;
    item.searching = true;
  }

  /** Backtracks all items together; each leaves as soon as its own step is accepted. */
  #lineSearch(active: readonly Item[]): void {
    for (let halving = 0; halving <= MOST_HALVINGS; halving++) {
      const searching = active.filter((item) => item.searching);
      if (searching.length === 0) return;
      const trials = searching.map((item) => item.x.map((x, e) => x - item.step * item.direction[e]!));
      const values = this.#evaluate(searching, (_item, row) => trials[row]!);
      searching.forEach((item, row) => {
        const enough = item.energy - SUFFICIENT_DECREASE * item.step * item.slope;
        if (values.energy[row]! <= enough) {
          this.#accept(
            item,
            trials[row]!,
            values.energy[row]!,
            values.scale[row]!,
            this.#row(values.gradient, row),
          );
        } else {
          item.step /= 2;
        }
      });
    }
    for (const item of active) {
      if (!item.searching) continue;
      item.searching = false;
      item.done = true;
      item.converged = true;
    }
  }

  #accept(item: Item, x: Float64Array, energy: number, scale: number, gradient: Float64Array): void {
    const s = x.map((value, e) => value - item.x[e]!);
    const y = gradient.map((value, e) => value - item.gradient[e]!);
    const curvature = dot(s, y);
    if (curvature > 1e-12 * dot(y, y)) {
      item.pairs.push({ s, y, rho: 1 / curvature });
      if (item.pairs.length > this.settings.history) item.pairs.shift();
    }
    const decrease = (item.energy - energy) / Math.max(Math.abs(item.energy), 1e-300);
    Object.assign(item, { x, energy, scale, gradient, searching: false });
    item.iterations += 1;
    if (decrease <= this.settings.tol) {
      item.done = true;
      item.converged = true;
    }
  }

  /** The limited-memory inverse Hessian times the gradient, with the preconditioner as its initial matrix. */
  #twoLoop(item: Item): Float64Array {
    const q = item.gradient.slice();
    const weights: number[] = [];
    for (let p = item.pairs.length - 1; p >= 0; p--) {
      const { s, y, rho } = item.pairs[p]!;
      weights[p] = rho * dot(s, q);
      for (let e = 0; e < q.length; e++) q[e]! -= weights[p]! * y[e]!;
    }
    const z = this.#precondition(q, item.scale);
    item.pairs.forEach(({ s, y, rho }, p) => {
      const change = weights[p]! - rho * dot(y, z);
      for (let e = 0; e < z.length; e++) z[e]! += change * s[e]!;
    });
    return z;
  }

  /** T⁻¹·gradient/(2λ) over the interior points. */
  #precondition(gradient: Float64Array, scale: number): Float64Array {
    const d = this.#d;
    const result = new Float64Array(gradient.length);
    for (let k = 0; k < this.#inner; k++) {
      for (let l = 0; l < this.#inner; l++) {
        const factor = this.#inverse[k * this.#inner + l]! / (2 * scale);
        for (let i = 0; i < d; i++) result[k * d + i]! += factor * gradient[l * d + i]!;
      }
    }
    return result;
  }

  #evaluate(items: readonly Item[], interior: (item: Item, row: number) => Float64Array): PathEnergy {
    const [points, d] = [this.points, this.#d];
    const model = new PathEnergy(this.field, { items: items.length, points, d });
    const paths = new Float64Array(items.length * points * d);
    items.forEach((item, row) => {
      const whole = item.index * points * d;
      paths.set(this.paths.subarray(whole, whole + points * d), row * points * d);
      paths.set(interior(item, row), row * points * d + d);
    });
    model.evaluate(paths);
    this.evaluations += 1;
    return model;
  }

  #row(table: Float64Array, row: number): Float64Array {
    const width = this.#inner * this.#d;
    return table.slice(row * width, (row + 1) * width);
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Inverse of the n x n matrix with 2 on the diagonal and −1 beside it: min(i,j)(n+1−max(i,j))/(n+1), counted from 1. */
function inverseTridiagonal(n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let i = 1; i <= n; i++) {
    for (let j = 1; j <= n; j++) {
      inverse[(i - 1) * n + j - 1] = (Math.min(i, j) * (n + 1 - Math.max(i, j))) / (n + 1);
    }
  }
  return inverse;
}

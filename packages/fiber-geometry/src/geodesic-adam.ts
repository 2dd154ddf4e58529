import { PathEnergy, straightPaths } from './geodesic-energy.js';
import type { MetricField } from './metric-field.js';

export interface AdamSettings {
  readonly nGeoPts: number;
  readonly maxSteps: number;
  readonly tol: number;
  readonly lr: number;
}

export interface AdamResult {
  readonly paths: Float64Array;
  /** Batch-summed energy of the path before the last update; +∞ when no step was made or it overflowed float32. */
  readonly energy: number;
  /** Batch-summed energy before every update. */
  readonly history: readonly number[];
  readonly converged: boolean;
  readonly iterations: number;
}

const LARGEST_FLOAT32 = 3.4028234663852886e38;

/**
 * The original solver (DERIVATION.md, "The original solver"): Adam on the interior points of the whole batch, stopped by the
 * relative change of the batch's summed energy. Kept for parity: an item's path depends on its batch mates.
 */
export function adamGeodesics(
  field: MetricField,
  xs: Float64Array,
  xe: Float64Array,
  settings: AdamSettings,
): AdamResult {
  const { nGeoPts, maxSteps, tol, lr } = settings;
  const d = field.dimension;
  const items = xs.length / d;
  const points = nGeoPts + 2;
  const straight = straightPaths(xs, xe, d, nGeoPts);
  const paths = straight.slice();
  const model = new PathEnergy(field, { items, points, d });
  const first = new Float64Array(model.gradient.length);
  const second = new Float64Array(model.gradient.length);
  const history: number[] = [];
  let energy = Number.POSITIVE_INFINITY;
  let previous = Number.POSITIVE_INFINITY;
  for (let step = 1; step <= maxSteps; step++) {
    model.evaluate(paths);
    energy = model.energy.reduce((sum, value) => sum + value, 0);
    if (!(Math.abs(energy) <= LARGEST_FLOAT32)) {
      const iterations = step - 1;
      return { paths: straight, energy: Number.POSITIVE_INFINITY, history, converged: false, iterations };
    }
    history.push(energy);
    adamUpdate(paths, model, first, second, step, lr);
    if (Math.abs(previous - energy) / (Math.abs(previous) + 1e-10) < tol) {
      return { paths, energy, history, converged: true, iterations: step };
    }
    previous = energy;
  }
  return { paths, energy, history, converged: false, iterations: maxSteps };
}

function adamUpdate(
  paths: Float64Array,
  model: PathEnergy,
  first: Float64Array,
  second: Float64Array,
  step: number,
  lr: number,
): void {
  const { items, points, d } = model.batch;
  const inner = (points - 2) * d;
  const [firstCorrection, secondCorrection] = [1 - 0.9 ** step, 1 - 0.999 ** step];
  for (let item = 0; item < items; item++) {
    for (let e = 0; e < inner; e++) {
      const at = item * inner + e;
      const slope = model.gradient[at]!;
      first[at] = 0.9 * first[at]! + 0.1 * slope;
      second[at] = 0.999 * second[at]! + 0.001 * slope * slope;
      const size = Math.sqrt(second[at]! / secondCorrection) + 1e-8;
      paths[item * points * d + d + e]! -= (lr * (first[at]! / firstCorrection)) / size;
    }
  }
}

import type { MetricField, SegmentEnergy } from './metric-field.js';
import { hostValues, type MlpParameters } from './parameters.js';
import { lowerTriangle } from './triangle.js';

/** Smallest diagonal entry of the Cholesky factor. */
export const DIAGONAL_FLOOR = 1e-3;

interface Layer {
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  readonly inputs: number;
  readonly outputs: number;
}

/** What a forward pass keeps for the backward passes. All are `[count, width]`. */
interface Activations {
  readonly z1: Float64Array;
  readonly z2: Float64Array;
  readonly h1: Float64Array;
  readonly h2: Float64Array;
  readonly raw: Float64Array;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => (x > 20 ? x : Math.log1p(Math.exp(x)));
/** Derivative of softplus in the form that returns x itself above 20. */
const softplusSlope = (x: number) => (x > 20 ? 1 : sigmoid(x));
const siluSlope = (x: number) => {
  const s = sigmoid(x);
  return s * (1 + x * (1 - s));
};

/**
 * The learned metric g = L Lᵀ on the host, with the closed-form gradient of the discrete path energy: no autodiff graph
 * and g itself is never formed (DERIVATION.md, "Geodesics").
 */
export class MlpMetricField implements MetricField {
  readonly #layers: readonly [Layer, Layer, Layer];
  readonly #rows: Int32Array;
  readonly #columns: Int32Array;

  constructor(
    readonly dimension: number,
    parameters: MlpParameters,
  ) {
    const layer = (index: 0 | 2 | 4): Layer => {
      const { weight, bias } = parameters[index];
      return {
        weight: hostValues(weight, 'A metric on the host'),
        bias: hostValues(bias, 'A metric on the host'),
        outputs: weight.shape[0]!,
        inputs: weight.shape[1]!,
      };
    };
    this.#layers = [layer(0), layer(2), layer(4)];
    const { rows, columns } = lowerTriangle(dimension);
    this.#rows = rows;
    this.#columns = columns;
  }

  segmentEnergy(pieces: SegmentEnergy): void {
    const { count, deltas } = pieces;
    const d = this.dimension;
    const entries = this.#rows.length;
    const activations = this.#forward(pieces.midpoints, count);
    const rawGradient = new Float64Array(count * entries);
    const y = new Float64Array(d);
    for (let n = 0; n < count; n++) {
      this.#oneSegment(n, activations.raw, deltas, y, pieces, rawGradient);
    }
    this.#backward(rawGradient, activations, count, pieces.midpointGradient);
  }

  #oneSegment(
    n: number,
    raw: Float64Array,
    deltas: Float64Array,
    y: Float64Array,
    pieces: SegmentEnergy,
    rawGradient: Float64Array,
  ): void {
    const d = this.dimension;
    const entries = this.#rows.length;
    const base = n * d;
    y.fill(0);
    let trace = 0;
    for (let e = 0; e < entries; e++) {
      const value = this.#choleskyEntry(raw[n * entries + e]!, e);
      y[this.#columns[e]!]! += value * deltas[base + this.#rows[e]!]!;
      trace += value * value;
    }
    let energy = 0;
    for (let j = 0; j < d; j++) energy += y[j]! * y[j]!;
    pieces.energy[n] = energy;
    pieces.meanDiagonal[n] = trace / d;
    pieces.deltaGradient.fill(0, base, base + d);
    for (let e = 0; e < entries; e++) {
      const i = this.#rows[e]!;
      const j = this.#columns[e]!;
      const rawValue = raw[n * entries + e]!;
      pieces.deltaGradient[base + i]! += 2 * this.#choleskyEntry(rawValue, e) * y[j]!;
      const slope = i === j ? softplusSlope(rawValue) : 1;
      rawGradient[n * entries + e] = 2 * deltas[base + i]! * y[j]! * slope;
    }
  }

  #choleskyEntry(raw: number, entry: number): number {
    return this.#rows[entry] === this.#columns[entry] ? softplus(raw) + DIAGONAL_FLOOR : raw;
  }

  metricAt(points: Float64Array, count: number): Float64Array {
    const { raw } = this.#forward(points, count);
    const d = this.dimension;
    const metric = new Float64Array(count * d * d);
    for (let n = 0; n < count; n++) {
      const factor = this.#cholesky(raw, n);
      for (let i = 0; i < d; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = 0;
          for (let k = 0; k <= j; k++) sum += factor[i * d + k]! * factor[j * d + k]!;
          metric[(n * d + i) * d + j] = sum;
          metric[(n * d + j) * d + i] = sum;
        }
      }
    }
    return metric;
  }

  metricGradientAt(points: Float64Array, count: number): Float64Array {
    const d = this.dimension;
    const entries = this.#rows.length;
    const { raw, z1, z2 } = this.#forward(points, count);
    const jacobian = this.#jacobian(z1, z2, count);
    const result = new Float64Array(count * d * d * d);
    for (let n = 0; n < count; n++) {
      const factor = this.#cholesky(raw, n);
      for (let e = 0; e < entries; e++) {
        const i = this.#rows[e]!;
        const k = this.#columns[e]!;
        const slope = i === k ? softplusSlope(raw[n * entries + e]!) : 1;
        for (let l = 0; l < d; l++) {
          const change = slope * jacobian[(n * entries + e) * d + l]!;
          for (let j = k; j < d; j++) {
            const term = change * factor[j * d + k]!;
            result[((n * d + i) * d + j) * d + l]! += term;
            result[((n * d + j) * d + i) * d + l]! += term;
          }
        }
      }
    }
    return result;
  }

  #cholesky(raw: Float64Array, n: number): Float64Array {
    const d = this.dimension;
    const entries = this.#rows.length;
    const factor = new Float64Array(d * d);
    for (let e = 0; e < entries; e++) {
      factor[this.#rows[e]! * d + this.#columns[e]!] = this.#choleskyEntry(raw[n * entries + e]!, e);
    }
    return factor;
  }

  #forward(points: Float64Array, count: number): Activations {
    const [first, second, third] = this.#layers;
    const z1 = affine(points, first, count);
    const h1 = z1.map((z) => z * sigmoid(z));
    const z2 = affine(h1, second, count);
    const h2 = z2.map((z) => z * sigmoid(z));
    return { z1, h1, z2, h2, raw: affine(h2, third, count) };
  }

  #backward(rawGradient: Float64Array, { z1, z2 }: Activations, count: number, out: Float64Array): void {
    const [first, second, third] = this.#layers;
    const g2 = affineBackward(rawGradient, third, count);
    for (let i = 0; i < g2.length; i++) g2[i]! *= siluSlope(z2[i]!);
    const g1 = affineBackward(g2, second, count);
    for (let i = 0; i < g1.length; i++) g1[i]! *= siluSlope(z1[i]!);
    out.set(affineBackward(g1, first, count));
  }

  /** ∂raw_e/∂x_l by forward differentiation, `[count, entries, d]`. */
  #jacobian(z1: Float64Array, z2: Float64Array, count: number): Float64Array {
    const [first, second, third] = this.#layers;
    const d = this.dimension;
    const result = new Float64Array(count * third.outputs * d);
    for (let n = 0; n < count; n++) {
      let tangent = new Float64Array(first.weight);
      scaleRows(tangent, z1, n * first.outputs, first.outputs, d);
      tangent = multiply(second.weight, tangent, second.outputs, second.inputs, d);
      scaleRows(tangent, z2, n * second.outputs, second.outputs, d);
      result.set(multiply(third.weight, tangent, third.outputs, third.inputs, d), n * third.outputs * d);
    }
    return result;
  }
}

function scaleRows(matrix: Float64Array, z: Float64Array, at: number, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    const slope = siluSlope(z[at + row]!);
    for (let column = 0; column < columns; column++) matrix[row * columns + column]! *= slope;
  }
}

function multiply(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array<ArrayBuffer> {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k]!;
      for (let j = 0; j < columns; j++) result[i * columns + j]! += factor * b[k * columns + j]!;
    }
  }
  return result;
}

function affine(x: Float64Array, { weight, bias, inputs, outputs }: Layer, count: number): Float64Array {
  const result = new Float64Array(count * outputs);
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o]!;
      for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i]! * x[n * inputs + i]!;
      result[n * outputs + o] = sum;
    }
  }
  return result;
}

function affineBackward(
  gradient: Float64Array,
  { weight, inputs, outputs }: Layer,
  count: number,
): Float64Array {
  const result = new Float64Array(count * inputs);
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outputs; o++) {
      const factor = gradient[n * outputs + o]!;
      for (let i = 0; i < inputs; i++) result[n * inputs + i]! += factor * weight[o * inputs + i]!;
    }
  }
  return result;
}

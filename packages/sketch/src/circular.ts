import { positiveInteger } from './checks.js';
import { Fft } from './fft.js';

export type ConvolutionMethod = 'auto' | 'fft' | 'direct';

export interface CircularOptions {
  /** Length of the last axis. Default: the whole array is one signal. */
  readonly length?: number;
  /** The arrays hold interleaved complex values, `[..., m, 2]`. Default false. */
  readonly complex?: boolean;
  /** `auto` sums directly up to length 64 and transforms above. */
  readonly method?: ConvolutionMethod;
}

type Floats = Float32Array | Float64Array;

const DIRECT_LIMIT = 64;

/**
 * Circular convolution along the last axis: (x ⊛ y)_r = Σ_a x_a y_{(r−a) mod m}.
 * Leading axes are batch axes; a single signal on one side is used for every row of the other.
 * @throws RangeError for lengths that do not fit
 */
export function circularConvolve(x: Floats, y: Floats, options: CircularOptions = {}): Float64Array {
  return combine(x, y, options, false);
}

/**
 * Circular correlation along the last axis: (x ⋆ y)_r = Σ_a conj(x_a) y_{(a+r) mod m}.
 * Shapes as for `circularConvolve`.
 */
export function circularCorrelate(x: Floats, y: Floats, options: CircularOptions = {}): Float64Array {
  return combine(x, y, options, true);
}

function combine(x: Floats, y: Floats, options: CircularOptions, correlate: boolean): Float64Array {
  const parts = options.complex ? 2 : 1;
  const length = options.length ?? Math.min(x.length, y.length) / parts;
  positiveInteger(length, 'length');
  const row = length * parts;
  if (x.length % row !== 0 || y.length % row !== 0) {
    throw new RangeError(
      `Signals of length ${length} do not fit into arrays of ${x.length} and ${y.length} values.`,
    );
  }
  const [rowsX, rowsY] = [x.length / row, y.length / row];
  if (rowsX !== rowsY && rowsX !== 1 && rowsY !== 1) {
    throw new RangeError(`${rowsX} signals cannot be combined with ${rowsY}; give equally many, or one.`);
  }
  const rows = Math.max(rowsX, rowsY);
  const { method = 'auto' } = options;
  const one = (method === 'auto' ? length <= DIRECT_LIMIT : method === 'direct') ? directRow : transformedRow;
  const result = new Float64Array(rows * row);
  for (let i = 0; i < rows; i++) {
    const a = toComplex(x, rowsX === 1 ? 0 : i, length, parts);
    const b = toComplex(y, rowsY === 1 ? 0 : i, length, parts);
    const c = one(a, b, length, correlate);
    for (let r = 0; r < length; r++) {
      for (let part = 0; part < parts; part++) result[i * row + r * parts + part] = c[2 * r + part]!;
    }
  }
  return result;
}

function toComplex(values: Floats, row: number, length: number, parts: number): Float64Array {
  const complex = new Float64Array(2 * length);
  for (let r = 0; r < length; r++) {
    for (let part = 0; part < parts; part++)
      complex[2 * r + part] = values[(row * length + r) * parts + part]!;
  }
  return complex;
}

function directRow(a: Float64Array, b: Float64Array, length: number, correlate: boolean): Float64Array {
  const result = new Float64Array(2 * length);
  for (let i = 0; i < length; i++) {
    const re = a[2 * i]!;
    const im = correlate ? -a[2 * i + 1]! : a[2 * i + 1]!;
    if (re === 0 && im === 0) continue;
    for (let j = 0; j < length; j++) {
      const at = 2 * (correlate ? (j - i + length) % length : (i + j) % length);
      result[at] = result[at]! + re * b[2 * j]! - im * b[2 * j + 1]!;
      result[at + 1] = result[at + 1]! + re * b[2 * j + 1]! + im * b[2 * j]!;
    }
  }
  return result;
}

function transformedRow(a: Float64Array, b: Float64Array, length: number, correlate: boolean): Float64Array {
  const fft = Fft.plan(length);
  const spectrum = fft.forward(a);
  const other = fft.forward(b);
  for (let f = 0; f < length; f++) {
    const re = spectrum[2 * f]!;
    const im = correlate ? -spectrum[2 * f + 1]! : spectrum[2 * f + 1]!;
    const [u, v] = [other[2 * f]!, other[2 * f + 1]!];
    other[2 * f] = re * u - im * v;
    other[2 * f + 1] = re * v + im * u;
  }
  return fft.inverse(other);
}

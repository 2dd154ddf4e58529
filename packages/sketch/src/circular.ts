import { InputError } from '@palimpsest/base';
import { type FloatArray, zerosLike } from './arrays.js';
import { countRows, expectNumbers, expectOneOf, positiveInteger } from './checks.js';
import { multiplyComplex } from './complex.js';
import { Fft } from './fft.js';
import { fftCost } from './fft-cores.js';

/** 'direct' sums over all pairs, 'fft' multiplies spectra, 'auto' takes the cheaper one. */
export type ConvolutionMethod = 'auto' | 'fft' | 'direct';

export const CONVOLUTION_METHODS: readonly ConvolutionMethod[] = ['auto', 'fft', 'direct'];

export interface CircularOptions {
  /** Length m of the last axis. Default: the shorter array is one signal. */
  readonly length?: number;
  /** The arrays hold interleaved complex values, `[..., 2m]`. Default false. */
  readonly complex?: boolean;
  /** Default 'auto'. */
  readonly method?: ConvolutionMethod;
  /** Refuse NaN inputs. Default false. */
  readonly validate?: boolean;
}

/**
 * Circular convolution along the last axis: (x ⊛ y)_r = Σ_a x_a y_{(r−a) mod m}.
 * Leading axes are batch axes; a single signal on one side is used for every row of the other.
 * @returns rows of the given kind: float32 if both arrays are, else float64; the sums are taken in float64
 * @throws InputError for lengths that do not fit, or an unknown method
 */
export function circularConvolve<X extends FloatArray, Y extends FloatArray>(
  x: X,
  y: Y,
  options: CircularOptions = {},
): X | Y {
  return combine(x, y, options, false);
}

/**
 * Circular correlation along the last axis: (x ⋆ y)_r = Σ_a conj(x_a) y_{(a+r) mod m}.
 * Shapes and result as for `circularConvolve`.
 */
export function circularCorrelate<X extends FloatArray, Y extends FloatArray>(
  x: X,
  y: Y,
  options: CircularOptions = {},
): X | Y {
  return combine(x, y, options, true);
}

function combine<X extends FloatArray, Y extends FloatArray>(
  x: X,
  y: Y,
  options: CircularOptions,
  correlate: boolean,
): X | Y {
  const { complex = false, method = 'auto' } = options;
  const parts = complex ? 2 : 1;
  const length = options.length ?? Math.min(x.length, y.length) / parts;
  positiveInteger(length, 'The length of a signal');
  expectOneOf(method, CONVOLUTION_METHODS, 'method');
  const width = length * parts;
  const [rowsX, rowsY] = [countRows(x, width, 'x'), countRows(y, width, 'y')];
  if (rowsX !== rowsY && rowsX !== 1 && rowsY !== 1) {
    throw new InputError(`${rowsX} signals cannot be combined with ${rowsY}; give equally many, or one.`);
  }
  if (options.validate) {
    expectNumbers(x, 'x');
    expectNumbers(y, 'y');
  }
  const rows = rowsX === 0 || rowsY === 0 ? 0 : Math.max(rowsX, rowsY);
  const result: X | Y = zerosLike(x instanceof Float32Array ? y : x, rows * width);
  const one = chooseRow(complex, method, length);
  for (let i = 0; i < rows; i++) {
    const [fromX, fromY] = [rowsX === 1 ? 0 : i * width, rowsY === 1 ? 0 : i * width];
    const a = Float64Array.from(x.subarray(fromX, fromX + width));
    const b = Float64Array.from(y.subarray(fromY, fromY + width));
    result.set(one(a, b, length, correlate), i * width);
  }
  return result;
}

type RowProduct = (a: Float64Array, b: Float64Array, length: number, correlate: boolean) => Float64Array;

function chooseRow(complex: boolean, method: ConvolutionMethod, length: number): RowProduct {
  const direct = method === 'direct' || (method === 'auto' && isDirectCheaper(length));
  if (complex) return direct ? directComplex : transformedComplex;
  return direct ? directReal : transformedReal;
}

/** Up to this length all pairs cost less than the fixed part of three transforms. */
const SHORT = 32;

/** Two transforms and one back against all pairs, of which one costs about two multiplications of a transform. */
function isDirectCheaper(length: number): boolean {
  return length <= SHORT || 2 * length * length <= 3 * fftCost(length);
}

function directReal(a: Float64Array, b: Float64Array, length: number, correlate: boolean): Float64Array {
  const result = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const value = a[i]!;
    let at = correlate && i > 0 ? length - i : i;
    for (let j = 0; j < length; j++) {
      result[at] = result[at]! + value * b[j]!;
      at += 1;
      if (at === length) at = 0;
    }
  }
  return result;
}

function directComplex(a: Float64Array, b: Float64Array, length: number, correlate: boolean): Float64Array {
  const result = new Float64Array(2 * length);
  for (let i = 0; i < length; i++) {
    const re = a[2 * i]!;
    const im = correlate ? -a[2 * i + 1]! : a[2 * i + 1]!;
    let at = correlate && i > 0 ? length - i : i;
    for (let j = 0; j < length; j++) {
      result[2 * at] = result[2 * at]! + re * b[2 * j]! - im * b[2 * j + 1]!;
      result[2 * at + 1] = result[2 * at + 1]! + re * b[2 * j + 1]! + im * b[2 * j]!;
      at += 1;
      if (at === length) at = 0;
    }
  }
  return result;
}

function transformedReal(a: Float64Array, b: Float64Array, length: number, correlate: boolean): Float64Array {
  const fft = Fft.plan(length);
  const spectrum = fft.forwardReal(a);
  multiplyComplex(spectrum, fft.forwardReal(b), spectrum, length, correlate);
  return fft.inverseReal(spectrum);
}

function transformedComplex(
  a: Float64Array,
  b: Float64Array,
  length: number,
  correlate: boolean,
): Float64Array {
  const fft = Fft.plan(length);
  const spectrum = fft.forward(a);
  multiplyComplex(spectrum, fft.forward(b), spectrum, length, correlate);
  return fft.inverse(spectrum, spectrum);
}

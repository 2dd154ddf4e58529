import type { FloatArray } from './arrays.js';
import { expectLength } from './checks.js';

/**
 * Interleaves real and imaginary parts to `[re, im, re, im, …]`.
 * @param im default: zeros
 * @throws InputError when the lengths differ
 */
export function toComplex(re: ArrayLike<number>, im?: ArrayLike<number>): Float64Array {
  if (im) expectLength(im, re.length, 'The imaginary part');
  const result = new Float64Array(2 * re.length);
  for (let i = 0; i < re.length; i++) {
    result[2 * i] = re[i]!;
    result[2 * i + 1] = im ? im[i]! : 0;
  }
  return result;
}

/** Real parts of interleaved complex values. */
export function realPart(values: FloatArray): Float64Array {
  return Float64Array.from({ length: values.length / 2 }, (_, i) => values[2 * i]!);
}

/** Imaginary parts of interleaved complex values. */
export function imaginaryPart(values: FloatArray): Float64Array {
  return Float64Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + 1]!);
}

/**
 * Elementwise product of interleaved complex values; `result` may be one of the factors.
 * @param conjugateFirst multiplies by the conjugate of `a`
 */
export function multiplyComplex(
  a: Float64Array,
  b: Float64Array,
  result: Float64Array,
  count = a.length / 2,
  conjugateFirst = false,
): void {
  const sign = conjugateFirst ? -1 : 1;
  for (let i = 0; i < 2 * count; i += 2) {
    const re = a[i]!;
    const im = sign * a[i + 1]!;
    const u = b[i]!;
    const v = b[i + 1]!;
    result[i] = re * u - im * v;
    result[i + 1] = re * v + im * u;
  }
}

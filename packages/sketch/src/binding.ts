import type { FloatArray } from './arrays.js';
import { positiveInteger } from './checks.js';
import { type CircularOptions, circularConvolve, circularCorrelate } from './circular.js';
import { Fft } from './fft.js';
import { Mt19937 } from './mt19937.js';

/** Binds values to keys by circular convolution (Plate 1995; DERIVATION.md, "Convolution"). Shapes and options as for `circularConvolve`. */
export function bind<K extends FloatArray, V extends FloatArray>(
  key: K,
  value: V,
  options?: CircularOptions,
): K | V {
  return circularConvolve(key, value, options);
}

/**
 * Reads the value that was bound to a key out of a sum of n bindings, k ⋆ trace: exact for one binding with a unitary
 * key, of cosine similarity about 1/√(1+n) with random keys. Shapes and options as for `circularCorrelate`.
 */
export function unbind<K extends FloatArray, T extends FloatArray>(
  key: K,
  trace: T,
  options?: CircularOptions,
): K | T {
  return circularCorrelate(key, trace, options);
}

/**
 * A random real key whose spectrum has magnitude 1 everywhere, so that unbinding it undoes binding.
 * @param length m
 * @returns `[m]`, of norm 1
 * @throws InputError for a length that is no positive integer
 */
export function unitaryKey(seed: number, length: number): Float64Array {
  positiveInteger(length, 'length');
  const generator = new Mt19937(seed);
  const spectrum = new Float64Array(2 * length);
  for (let f = 0; f <= length >> 1; f++) {
    const mirror = (length - f) % length;
    const angle = 2 * Math.PI * generator.nextUniform();
    // A real signal has conjugate-symmetric phases, hence ±1 where a frequency is its own mirror image.
    const [re, im] = mirror === f ? [angle < Math.PI ? 1 : -1, 0] : [Math.cos(angle), Math.sin(angle)];
    spectrum[2 * f] = re;
    spectrum[2 * f + 1] = im;
    spectrum[2 * mirror] = re;
    spectrum[2 * mirror + 1] = mirror === f ? 0 : -im;
  }
  return Fft.plan(length).inverseReal(spectrum);
}

import { positiveInteger } from './checks.js';
import { circularConvolve, circularCorrelate } from './circular.js';
import { Fft } from './fft.js';
import { Mt19937 } from './mt19937.js';

/** Binds a value to a key by circular convolution (Plate 1995). Both `[m]`. */
export function bind(key: Float64Array, value: Float64Array): Float64Array {
  return circularConvolve(key, value);
}

/** Reads the value that was bound to a key out of a sum of bindings; exact for one binding with a unitary key. */
export function unbind(key: Float64Array, trace: Float64Array): Float64Array {
  return circularCorrelate(key, trace);
}

/**
 * A random real key whose spectrum has magnitude 1 everywhere, so that unbinding it undoes binding.
 * @returns `[length]`, of norm 1
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

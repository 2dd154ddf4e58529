import { InputError } from '@palimpsest/base';
import type { FloatArray } from './arrays.js';
import { expectLength, positiveInteger } from './checks.js';
import { Fft } from './fft.js';

export interface SpectralAccumulatorOptions {
  /** Length m of the accumulated signal. */
  readonly length: number;
  /** Updates between automatic recomputations from the sum itself; 0 never, as in the reference. Default 4096. */
  readonly resyncEvery?: number;
}

/**
 * A running sum of complex signals kept in the frequency domain, in float32 as a cache would hold it: Ĉ ← Ĉ + F_u(Δ),
 * with the unitary transform F_u. Rounding makes it drift from the transform of the sum, about as the root of the
 * number of updates (DERIVATION.md, "Spectral accumulator"). With automatic resynchronisation the sum itself is kept beside it in float64.
 */
export class SpectralAccumulator {
  readonly length: number;
  readonly #spectrum: Float32Array;
  readonly #resyncEvery: number;
  readonly #fft: Fft;
  /** The sum in the time domain, for automatic resynchronisation only. */
  readonly #time: Float64Array | undefined;
  #updates = 0;

  /** @throws InputError for a length that is no positive integer, or a `resyncEvery` that is no integer from 0 */
  constructor({ length, resyncEvery = 4096 }: SpectralAccumulatorOptions) {
    positiveInteger(length, 'length');
    if (!Number.isSafeInteger(resyncEvery) || resyncEvery < 0) {
      throw new InputError(`resyncEvery must be an integer from 0, but is ${resyncEvery}.`);
    }
    this.length = length;
    this.#resyncEvery = resyncEvery;
    this.#spectrum = new Float32Array(2 * length);
    this.#fft = new Fft(length);
    this.#time = resyncEvery > 0 ? new Float64Array(2 * length) : undefined;
  }

  /** Updates since the last resynchronisation. */
  get updates(): number {
    return this.#updates;
  }

  /** Adds a signal. @param delta interleaved complex, `[2m]` */
  add(delta: FloatArray): void {
    expectLength(delta, 2 * this.length, 'delta');
    this.#accumulate(this.#fft.forward(delta, undefined, 'ortho'), delta);
  }

  /** Adds a unitary spectrum, interleaved `[2m]`. Automatic resynchronisation transforms it back once. */
  addSpectrum(spectrum: FloatArray): void {
    expectLength(spectrum, 2 * this.length, 'spectrum');
    this.#accumulate(spectrum, this.#time && this.#fft.inverse(spectrum, undefined, 'ortho'));
  }

  /** A copy of the accumulated unitary spectrum, interleaved `[2m]`. */
  spectrum(): Float32Array {
    return this.#spectrum.slice();
  }

  /** Replaces the spectrum by the transform of the sum itself. @param time interleaved complex, `[2m]` */
  resync(time: FloatArray): void {
    expectLength(time, 2 * this.length, 'time');
    this.#time?.set(time);
    this.#spectrum.set(this.#fft.forward(time, undefined, 'ortho'));
    this.#updates = 0;
  }

  /**
   * Largest deviation from the transform of the sum, relative to the largest magnitude of that transform.
   * @param time the sum itself, interleaved complex `[2m]`
   */
  drift(time: FloatArray): number {
    expectLength(time, 2 * this.length, 'time');
    const exact = this.#fft.forward(time, undefined, 'ortho');
    let difference = 0;
    let magnitude = 0;
    for (let f = 0; f < exact.length; f += 2) {
      const [re, im] = [exact[f]!, exact[f + 1]!];
      difference = Math.max(difference, Math.hypot(this.#spectrum[f]! - re, this.#spectrum[f + 1]! - im));
      magnitude = Math.max(magnitude, Math.hypot(re, im));
    }
    return magnitude === 0 ? difference : difference / magnitude;
  }

  #accumulate(spectrum: FloatArray, time: FloatArray | undefined): void {
    addTo(this.#spectrum, spectrum);
    this.#updates += 1;
    if (!this.#time || !time) return;
    addTo(this.#time, time);
    if (this.#updates >= this.#resyncEvery) this.resync(this.#time);
  }
}

function addTo(sum: FloatArray, values: FloatArray): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[i]!;
}

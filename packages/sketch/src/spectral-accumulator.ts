import { expectLength, positiveInteger } from './checks.js';
import { Fft } from './fft.js';

export interface SpectralAccumulatorOptions {
  /** Length m of the accumulated signal. */
  readonly length: number;
  /** Updates between automatic recomputations from `time`; 0 never. Default 4096. */
  readonly resyncEvery?: number;
}

/**
 * A running sum of complex signals kept in the frequency domain, in float32 as a cache would hold it: Ĉ ← Ĉ + F_u(Δ),
 * with the unitary transform F_u. Rounding makes it drift from the transform of the sum, about as the root of the
 * number of updates; `resync` sets it right.
 */
export class SpectralAccumulator {
  readonly length: number;
  /** Updates since the last resynchronisation. */
  updates = 0;
  readonly #spectrum: Float32Array;
  readonly #resyncEvery: number;
  readonly #fft: Fft;

  constructor({ length, resyncEvery = 4096 }: SpectralAccumulatorOptions) {
    positiveInteger(length, 'length');
    this.length = length;
    this.#resyncEvery = resyncEvery;
    this.#spectrum = new Float32Array(2 * length);
    this.#fft = new Fft(length);
  }

  /**
   * Adds a signal.
   * @param delta interleaved complex, `[2m]`
   * @param time the whole sum after this update; given, it is transformed anew when a resynchronisation is due
   */
  add(delta: Float32Array | Float64Array, time?: Float32Array | Float64Array): void {
    this.addSpectrum(this.#fft.forward(delta, undefined, 'ortho'));
    if (time && this.#resyncEvery > 0 && this.updates >= this.#resyncEvery) this.resync(time);
  }

  /** Adds a unitary spectrum, interleaved `[2m]`. */
  addSpectrum(spectrum: Float32Array | Float64Array): void {
    expectLength(spectrum, 2 * this.length, 'spectrum');
    for (let i = 0; i < spectrum.length; i++) this.#spectrum[i] = this.#spectrum[i]! + spectrum[i]!;
    this.updates += 1;
  }

  /** A copy of the accumulated unitary spectrum, interleaved `[2m]`. */
  spectrum(): Float32Array {
    return this.#spectrum.slice();
  }

  /** Replaces the spectrum by the transform of the sum itself. */
  resync(time: Float32Array | Float64Array): void {
    this.#spectrum.set(this.#fft.forward(time, undefined, 'ortho'));
    this.updates = 0;
  }

  /** Largest deviation from the transform of the sum, relative to the largest magnitude of that transform. */
  drift(time: Float32Array | Float64Array): number {
    const exact = this.#fft.forward(time, undefined, 'ortho');
    let [difference, magnitude] = [0, 0];
    for (let f = 0; f < this.length; f++) {
      const [re, im] = [exact[2 * f]!, exact[2 * f + 1]!];
      difference = Math.max(
        difference,
        Math.hypot(this.#spectrum[2 * f]! - re, this.#spectrum[2 * f + 1]! - im),
      );
      magnitude = Math.max(magnitude, Math.hypot(re, im));
    }
    return magnitude === 0 ? difference : difference / magnitude;
  }
}

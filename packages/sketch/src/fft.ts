import type { FloatArray } from './arrays.js';
import { countRows, expectLength, expectOneOf, positiveInteger } from './checks.js';
import { createFftCore, type FftCore } from './fft-cores.js';
import { LruCache } from './lru-cache.js';

/** Where the factor 1/m stands: on the inverse, as 1/√m on both, or on the forward transform. */
export type FftNorm = 'backward' | 'ortho' | 'forward';

const NORMS: readonly FftNorm[] = ['backward', 'ortho', 'forward'];

/** Plans kept unless `Fft.setMaxPlans` says otherwise, as in the reference. */
const DEFAULT_MAX_PLANS = 4;

const plans = new LruCache<number, Fft>(DEFAULT_MAX_PLANS);

/**
 * Discrete Fourier transforms of one size m over the last axis, F(x)_f = Σ_r x_r e^(-2πi f r/m): powers of two by
 * fft.js, other small sizes directly, all others by Bluestein's algorithm. Complex arrays are interleaved,
 * `[re, im, re, im, …]`, of length 2m per row; leading axes are batch axes. All work is done in float64.
 */
export class Fft {
  readonly #core: FftCore;
  readonly #input: Float64Array;
  readonly #output: Float64Array;
  readonly #real: Float64Array;

  /** @throws InputError for a size that is no positive integer. */
  constructor(readonly size: number) {
    positiveInteger(size, 'The size of a transform');
    this.#core = createFftCore(size);
    this.#input = new Float64Array(2 * size);
    this.#output = new Float64Array(2 * size);
    this.#real = new Float64Array(size);
  }

  /** A transform of a size from the cache of recently used ones. */
  static plan(size: number): Fft {
    const known = plans.get(size);
    if (known) return known;
    const made = new Fft(size);
    plans.set(size, made);
    return made;
  }

  /**
   * Bounds the cache of plans; the least recently used go first. Default 4.
   * @throws InputError unless `count` is a positive integer
   */
  static setMaxPlans(count: number): void {
    positiveInteger(count, 'The number of cached plans');
    plans.resize(count);
  }

  /** Number of plans in the cache. */
  static get cachedPlans(): number {
    return plans.size;
  }

  /**
   * Forward transform of complex values `[..., 2m]`.
   * @param output receives the spectra; may be `values`. Default: a new Float64Array.
   * @param norm default 'backward': no factor on this side
   * @throws InputError for lengths that are no whole rows, or an unknown norm
   */
  forward<T extends FloatArray = Float64Array>(
    values: FloatArray,
    output?: T,
    norm: FftNorm = 'backward',
  ): T {
    return this.#run(values, output, this.#scale(norm, 'forward'), false);
  }

  /** Inverse transform of complex values; arguments as for `forward`, factor 1/m by default. */
  inverse<T extends FloatArray = Float64Array>(
    spectrum: FloatArray,
    output?: T,
    norm: FftNorm = 'backward',
  ): T {
    return this.#run(spectrum, output, this.#scale(norm, 'backward'), true);
  }

  /** Forward transform of real values `[..., m]` to whole interleaved spectra `[..., 2m]`. */
  forwardReal(values: ArrayLike<number>, norm: FftNorm = 'backward'): Float64Array {
    const rows = countRows(values, this.size, 'A real signal');
    const scale = this.#scale(norm, 'forward');
    const result = new Float64Array(2 * values.length);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < this.size; i++) this.#real[i] = values[row * this.size + i]!;
      const spectrum = result.subarray(2 * row * this.size, 2 * (row + 1) * this.size);
      this.#core.transformReal(this.#real, spectrum);
      if (scale !== 1) for (let i = 0; i < spectrum.length; i++) spectrum[i] = spectrum[i]! * scale;
    }
    return result;
  }

  /** Real parts `[..., m]` of the inverse transform of spectra `[..., 2m]`. */
  inverseReal(spectrum: FloatArray, norm: FftNorm = 'backward'): Float64Array {
    const complex = this.inverse(spectrum, new Float64Array(spectrum.length), norm);
    const result = new Float64Array(complex.length / 2);
    for (let i = 0; i < result.length; i++) result[i] = complex[2 * i]!;
    return result;
  }

  /** The factor of one direction; `side` is the norm that puts all of 1/m on it. */
  #scale(norm: FftNorm, side: 'forward' | 'backward'): number {
    expectOneOf(norm, NORMS, 'norm');
    if (norm === 'ortho') return 1 / Math.sqrt(this.size);
    return norm === side ? 1 / this.size : 1;
  }

  #run<T extends FloatArray>(
    values: FloatArray,
    output: T | undefined,
    scale: number,
    conjugate: boolean,
  ): T {
    const width = 2 * this.size;
    const rows = countRows(values, width, 'A complex signal');
    const result = output ?? (new Float64Array(values.length) as T);
    expectLength(result, values.length, 'The output of a transform');
    const [input, work] = [this.#input, this.#output];
    const imaginary = conjugate ? -scale : scale;
    for (let row = 0; row < rows; row++) {
      const offset = row * width;
      input.set(values.subarray(offset, offset + width));
      // F⁻¹(x) = conj(F(conj(x))) / m, so one core serves both directions.
      if (conjugate) for (let i = 1; i < width; i += 2) input[i] = -input[i]!;
      this.#core.transform(input, work);
      for (let i = 0; i < width; i += 2) {
        result[offset + i] = work[i]! * scale;
        result[offset + i + 1] = work[i + 1]! * imaginary;
      }
    }
    return result;
  }
}

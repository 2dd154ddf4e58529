import PowerOfTwoFft from 'fft.js';
import { expectLength, positiveInteger } from './checks.js';
import { LruCache } from './lru-cache.js';

/** Where the factor 1/m stands: on the inverse, as 1/√m on both, or on the forward transform. */
export type FftNorm = 'backward' | 'ortho' | 'forward';

interface Core {
  /** Unscaled forward transform of interleaved complex values. */
  transform(input: Float64Array, output: Float64Array): void;
}

/** Sizes up to this are summed directly when they are no power of two. */
const DIRECT_LIMIT = 64;

function powerOfTwoCore(size: number): Core {
  const fft = new PowerOfTwoFft(size);
  return { transform: (input, output) => fft.transform(output as never, input as never) };
}

function directCore(size: number): Core {
  const cos = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  const sin = Float64Array.from({ length: size }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
  return {
    transform: (input, output) => {
      for (let f = 0; f < size; f++) {
        let [re, im] = [0, 0];
        for (let r = 0; r < size; r++) {
          const turn = (f * r) % size;
          const [x, y] = [input[2 * r]!, input[2 * r + 1]!];
          re += x * cos[turn]! - y * sin[turn]!;
          im += x * sin[turn]! + y * cos[turn]!;
        }
        output[2 * f] = re;
        output[2 * f + 1] = im;
      }
    },
  };
}

/** Bluestein's algorithm: a transform of any size as a convolution of the next power of two that holds it. */
function bluesteinCore(size: number): Core {
  const padded = 2 ** Math.ceil(Math.log2(2 * size - 1));
  const core = powerOfTwoCore(padded);
  const chirp = new Float64Array(2 * size);
  for (let i = 0; i < size; i++) {
    // i² is reduced modulo 2·size before the cosine, which keeps the angle small and exact.
    const angle = (Math.PI * ((i * i) % (2 * size))) / size;
    chirp[2 * i] = Math.cos(angle);
    chirp[2 * i + 1] = -Math.sin(angle);
  }
  const kernel = new Float64Array(2 * padded);
  for (let i = 0; i < size; i++) {
    for (const place of i === 0 ? [0] : [i, padded - i]) {
      kernel[2 * place] = chirp[2 * i]!;
      kernel[2 * place + 1] = -chirp[2 * i + 1]!;
    }
  }
  const kernelSpectrum = new Float64Array(2 * padded);
  core.transform(kernel, kernelSpectrum);
  const signal = new Float64Array(2 * padded);
  const spectrum = new Float64Array(2 * padded);
  return {
    transform: (input, output) => {
      signal.fill(0);
      multiply(input, chirp, signal, size);
      core.transform(signal, spectrum);
      multiply(spectrum, kernelSpectrum, spectrum, padded);
      // The inverse of the padded transform is the conjugate of the transform of the conjugate.
      for (let i = 1; i < spectrum.length; i += 2) spectrum[i] = -spectrum[i]!;
      core.transform(spectrum, signal);
      for (let i = 0; i < size; i++) {
        signal[2 * i] = signal[2 * i]! / padded;
        signal[2 * i + 1] = -signal[2 * i + 1]! / padded;
      }
      multiply(signal, chirp, output, size);
    },
  };
}

function multiply(a: Float64Array, b: Float64Array, result: Float64Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const [x, y, u, v] = [a[2 * i]!, a[2 * i + 1]!, b[2 * i]!, b[2 * i + 1]!];
    result[2 * i] = x * u - y * v;
    result[2 * i + 1] = x * v + y * u;
  }
}

const identityCore: Core = { transform: (input, output) => output.set(input.subarray(0, 2)) };

function coreFor(size: number): Core {
  if (size === 1) return identityCore;
  if ((size & (size - 1)) === 0) return powerOfTwoCore(size);
  return size <= DIRECT_LIMIT ? directCore(size) : bluesteinCore(size);
}

const plans = new LruCache<number, Fft>(4);

/**
 * Discrete Fourier transforms of one size: powers of two by fft.js, small sizes directly, others by Bluestein.
 * Complex arrays are interleaved, `[re, im, re, im, …]`, of length 2m; work is done in float64.
 */
export class Fft {
  readonly #core: Core;
  readonly #input: Float64Array;
  readonly #output: Float64Array;

  /** @throws RangeError for a size that is no positive integer. */
  constructor(readonly size: number) {
    positiveInteger(size, 'FFT size');
    this.#core = coreFor(size);
    this.#input = new Float64Array(2 * size);
    this.#output = new Float64Array(2 * size);
  }

  /** A transform of a size from the cache of recently used ones. */
  static plan(size: number): Fft {
    const known = plans.get(size);
    if (known) return known;
    const made = new Fft(size);
    plans.set(size, made);
    return made;
  }

  /** Bounds the cache of plans. Default 4, at least 1. */
  static setMaxPlans(count: number): void {
    plans.resize(count);
  }

  /** Number of plans in the cache. */
  static get cachedPlans(): number {
    return plans.size;
  }

  /**
   * Forward transform of complex values.
   * @param values interleaved `[2m]`
   * @param output receives the spectrum; may be `values`. Default: a new array.
   */
  forward<T extends Float32Array | Float64Array = Float64Array>(
    values: Float32Array | Float64Array,
    output?: T,
    norm: FftNorm = 'backward',
  ): T {
    const scale = norm === 'forward' ? 1 / this.size : norm === 'ortho' ? 1 / Math.sqrt(this.size) : 1;
    return this.#run(values, output, scale, false);
  }

  /** Inverse transform of complex values; arguments as for `forward`. */
  inverse<T extends Float32Array | Float64Array = Float64Array>(
    spectrum: Float32Array | Float64Array,
    output?: T,
    norm: FftNorm = 'backward',
  ): T {
    const scale = norm === 'backward' ? 1 / this.size : norm === 'ortho' ? 1 / Math.sqrt(this.size) : 1;
    return this.#run(spectrum, output, scale, true);
  }

  /** Forward transform of real values `[m]` to a full interleaved spectrum `[2m]`. */
  forwardReal(values: ArrayLike<number>, norm: FftNorm = 'backward'): Float64Array {
    expectLength(values, this.size, 'A real signal');
    const complex = new Float64Array(2 * this.size);
    for (let i = 0; i < this.size; i++) complex[2 * i] = values[i]!;
    return this.forward(complex, complex, norm);
  }

  /** Real part `[m]` of the inverse transform. */
  inverseReal(spectrum: Float32Array | Float64Array, norm: FftNorm = 'backward'): Float64Array {
    const complex = this.inverse(spectrum, new Float64Array(2 * this.size), norm);
    return Float64Array.from({ length: this.size }, (_, i) => complex[2 * i]!);
  }

  #run<T extends Float32Array | Float64Array>(
    values: Float32Array | Float64Array,
    output: T | undefined,
    scale: number,
    conjugate: boolean,
  ): T {
    expectLength(values, 2 * this.size, 'A complex signal');
    const result = output ?? (new Float64Array(2 * this.size) as T);
    expectLength(result, 2 * this.size, 'The output of a transform');
    const [input, work] = [this.#input, this.#output];
    input.set(values);
    // F⁻¹(x) = conj(F(conj(x))) / m, so one core serves both directions.
    if (conjugate) for (let i = 1; i < input.length; i += 2) input[i] = -input[i]!;
    this.#core.transform(input, work);
    const imaginary = conjugate ? -scale : scale;
    for (let i = 0; i < work.length; i += 2) {
      result[i] = work[i]! * scale;
      result[i + 1] = work[i + 1]! * imaginary;
    }
    return result;
  }
}

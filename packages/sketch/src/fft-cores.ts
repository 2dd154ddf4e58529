import PowerOfTwoFft from 'fft.js';
import { multiplyComplex } from './complex.js';

/** An unscaled forward transform of one size, in float64. Input and output are never the same array. */
export interface FftCore {
  /** Complex `[2m]` to complex `[2m]`, interleaved. */
  transform(input: Float64Array, output: Float64Array): void;
  /** Real `[m]` to a whole complex spectrum `[2m]`. */
  transformReal(input: Float64Array, output: Float64Array): void;
}

/** Sizes up to this are summed directly when they are no power of two. */
const DIRECT_LIMIT = 64;

/** The algorithm for a size: fft.js for powers of two, the plain sum for small sizes, Bluestein's for all others. */
export function createFftCore(size: number): FftCore {
  if (size === 1) return identityCore;
  if (isPowerOfTwo(size)) return powerOfTwoCore(size);
  return size <= DIRECT_LIMIT ? directCore(size) : bluesteinCore(size);
}

/** Multiplications, roughly, of one transform of a size: lets callers choose between a transform and a direct sum. */
export function fftCost(size: number): number {
  if (size === 1) return 1;
  if (isPowerOfTwo(size)) return 2 * size * Math.log2(size);
  if (size <= DIRECT_LIMIT) return 4 * size * size;
  const padded = paddedSize(size);
  return 4 * padded * Math.log2(padded) + 12 * padded;
}

function isPowerOfTwo(size: number): boolean {
  return 2 ** Math.round(Math.log2(size)) === size;
}

/** The power of two that holds the linear convolution of two signals of this size. */
function paddedSize(size: number): number {
  return 2 ** Math.ceil(Math.log2(2 * size - 1));
}

const identityCore: FftCore = {
  transform: (input, output) => output.set(input),
  transformReal: (input, output) => {
    output[0] = input[0]!;
    output[1] = 0;
  },
};

/** What this package uses of fft.js, whose own declarations leave every argument open. The output comes first. */
interface PowerOfTwoTransforms {
  transform(output: Float64Array, input: Float64Array): void;
  realTransform(output: Float64Array, input: Float64Array): void;
  completeSpectrum(spectrum: Float64Array): void;
}

function powerOfTwoCore(size: number): FftCore {
  const fft: PowerOfTwoTransforms = new PowerOfTwoFft(size);
  return {
    transform: (input, output) => fft.transform(output, input),
    transformReal: (input, output) => {
      fft.realTransform(output, input);
      fft.completeSpectrum(output);
    },
  };
}

/** Gives a complex transform the real one by adding zero imaginary parts. */
function withReal(size: number, transform: FftCore['transform']): FftCore {
  const widened = new Float64Array(2 * size);
  return {
    transform,
    transformReal: (input, output) => {
      for (let i = 0; i < size; i++) widened[2 * i] = input[i]!;
      transform(widened, output);
    },
  };
}

function directCore(size: number): FftCore {
  const cos = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  const sin = Float64Array.from({ length: size }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
  return withReal(size, (input, output) => {
    for (let f = 0; f < size; f++) {
      let re = 0;
      let im = 0;
      let turn = 0;
      for (let r = 0; r < size; r++) {
        const x = input[2 * r]!;
        const y = input[2 * r + 1]!;
        re += x * cos[turn]! - y * sin[turn]!;
        im += x * sin[turn]! + y * cos[turn]!;
        turn += f;
        if (turn >= size) turn -= size;
      }
      output[2 * f] = re;
      output[2 * f + 1] = im;
    }
  });
}

/** Bluestein (1970): a transform of any size as a convolution of the next power of two that holds it. */
function bluesteinCore(size: number): FftCore {
  const padded = paddedSize(size);
  const core = powerOfTwoCore(padded);
  const chirp = chirpOf(size);
  const kernelSpectrum = new Float64Array(2 * padded);
  core.transform(chirpKernel(chirp, size, padded), kernelSpectrum);
  const signal = new Float64Array(2 * padded);
  const spectrum = new Float64Array(2 * padded);
  return withReal(size, (input, output) => {
    signal.fill(0, 2 * size);
    multiplyComplex(input, chirp, signal, size);
    core.transform(signal, spectrum);
    multiplyComplex(spectrum, kernelSpectrum, spectrum);
    // The inverse of the padded transform is the conjugate of the transform of the conjugate.
    for (let i = 1; i < spectrum.length; i += 2) spectrum[i] = -spectrum[i]!;
    core.transform(spectrum, signal);
    for (let i = 0; i < size; i++) {
      signal[2 * i] = signal[2 * i]! / padded;
      signal[2 * i + 1] = -signal[2 * i + 1]! / padded;
    }
    multiplyComplex(signal, chirp, output, size);
  });
}

/** e^(-iπ n²/m) for n in [0, m). */
function chirpOf(size: number): Float64Array {
  const chirp = new Float64Array(2 * size);
  for (let i = 0; i < size; i++) {
    // i² is reduced modulo 2·size before the cosine, which keeps the angle small and exact.
    const angle = (Math.PI * ((i * i) % (2 * size))) / size;
    chirp[2 * i] = Math.cos(angle);
    chirp[2 * i + 1] = -Math.sin(angle);
  }
  return chirp;
}

/** The conjugate chirp at -(m-1)..(m-1), negative places at the end of the padded array. */
function chirpKernel(chirp: Float64Array, size: number, padded: number): Float64Array {
  const kernel = new Float64Array(2 * padded);
  for (let i = 0; i < size; i++) {
    for (const place of i === 0 ? [0] : [i, padded - i]) {
      kernel[2 * place] = chirp[2 * i]!;
      kernel[2 * place + 1] = -chirp[2 * i + 1]!;
    }
  }
  return kernel;
}

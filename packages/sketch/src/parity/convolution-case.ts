import { type ConvolutionMethod, circularConvolve, circularCorrelate } from '../circular.js';
import { imaginaryPart, multiplyComplex, realPart, toComplex } from '../complex.js';
import { Fft } from '../fft.js';
import { SpectralAccumulator } from '../spectral-accumulator.js';
import { CaseReader } from './case-reader.js';
import type { ParityHandler } from './types.js';

const METHODS: readonly ConvolutionMethod[] = ['fft', 'direct'];

/** Real and complex convolution and correlation by both methods, unitary spectra and the spectral accumulator. */
export const convolutionCase: ParityHandler = {
  system: 'osam',
  kind: 'convolution',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { m } = reader.config<{ m: number }>();
    const [xRe, yRe] = [reader.values('in/xRe'), reader.values('in/yRe')];
    const x = toComplex(xRe, reader.values('in/xIm'));
    const y = toComplex(yRe, reader.values('in/yIm'));
    for (const method of METHODS) {
      const real = { length: m, method };
      const complex = { length: m, complex: true, method };
      reader.compare('out/realConv', circularConvolve(xRe, yRe, real));
      reader.compare('out/realCorr', circularCorrelate(xRe, yRe, real));
      compareComplex(reader, 'out/conv', circularConvolve(x, y, complex));
      compareComplex(reader, 'out/corr', circularCorrelate(x, y, complex));
    }
    compareSpectra(reader, x, y, m);
    if (reader.has('in/updates')) compareAccumulator(reader, m);
    return reader.outputs;
  },
};

function compareComplex(reader: CaseReader, name: string, values: Float32Array | Float64Array): void {
  reader.compare(`${name}Re`, realPart(values));
  reader.compare(`${name}Im`, imaginaryPart(values));
}

function compareSpectra(reader: CaseReader, x: Float64Array, y: Float64Array, m: number): void {
  const fft = Fft.plan(m);
  const [spectrum, other] = [x, y].map((signal) => fft.forward<Float64Array>(signal, undefined, 'ortho'));
  const product = new Float64Array(x.length);
  multiplyComplex(spectrum!, other!, product);
  compareComplex(reader, 'out/orthoSpec', spectrum!);
  reader.compare('out/psi', fft.inverseReal(product, 'ortho'));
}

function compareAccumulator(reader: CaseReader, m: number): void {
  const updates = reader.values('in/updates');
  const accumulator = new SpectralAccumulator({ length: m, resyncEvery: 0 });
  for (let at = 0; at < updates.length; at += 2 * m) {
    accumulator.add(toComplex(updates.subarray(at, at + m), updates.subarray(at + m, at + 2 * m)));
  }
  compareComplex(reader, 'out/cache', accumulator.spectrum());
  // Transformed back, the cache is the sum of the updates.
  compareComplex(
    reader,
    'out/cacheSum',
    Fft.plan(m).inverse(accumulator.spectrum(), new Float64Array(2 * m), 'ortho'),
  );
}

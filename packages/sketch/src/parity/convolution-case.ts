import { circularConvolve, circularCorrelate } from '../circular.js';
import { Fft } from '../fft.js';
import { SpectralAccumulator } from '../spectral-accumulator.js';
import { CaseReader } from './case-reader.js';
import type { ParityHandler } from './types.js';

function interleave(re: Float64Array, im: Float64Array): Float64Array {
  const result = new Float64Array(2 * re.length);
  for (let i = 0; i < re.length; i++) {
    result[2 * i] = re[i]!;
    result[2 * i + 1] = im[i]!;
  }
  return result;
}

const part = (complex: ArrayLike<number>, offset: 0 | 1) =>
  Float64Array.from({ length: complex.length / 2 }, (_, i) => complex[2 * i + offset]!);

/** Real and complex convolution and correlation by every method, unitary spectra and the spectral accumulator. */
export const convolutionCase: ParityHandler = {
  system: 'osam',
  kind: 'convolution',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { m } = reader.config<{ m: number }>();
    const [xRe, yRe] = [reader.values('in/xRe'), reader.values('in/yRe')];
    const x = interleave(xRe, reader.values('in/xIm'));
    const y = interleave(yRe, reader.values('in/yIm'));
    for (const method of ['fft', 'direct'] as const) {
      const real = { length: m, method };
      const complex = { length: m, complex: true, method };
      reader.compare('out/realConv', circularConvolve(xRe, yRe, real));
      reader.compare('out/realCorr', circularCorrelate(xRe, yRe, real));
      const convolution = circularConvolve(x, y, complex);
      reader.compare('out/convRe', part(convolution, 0));
      reader.compare('out/convIm', part(convolution, 1));
      const correlation = circularCorrelate(x, y, complex);
      reader.compare('out/corrRe', part(correlation, 0));
      reader.compare('out/corrIm', part(correlation, 1));
    }
    compareSpectra(reader, x, y, m);
    compareAccumulator(reader, m);
    return reader.outputs;
  },
};

function compareSpectra(reader: CaseReader, x: Float64Array, y: Float64Array, m: number): void {
  const fft = Fft.plan(m);
  const rows = x.length / (2 * m);
  const spectrum: number[] = [];
  const psi: number[] = [];
  for (let row = 0; row < rows; row++) {
    const a = fft.forward(x.subarray(2 * m * row, 2 * m * (row + 1)), undefined, 'ortho');
    const b = fft.forward(y.subarray(2 * m * row, 2 * m * (row + 1)), undefined, 'ortho');
    spectrum.push(...a);
    const product = new Float64Array(2 * m);
    for (let f = 0; f < m; f++) {
      product[2 * f] = a[2 * f]! * b[2 * f]! - a[2 * f + 1]! * b[2 * f + 1]!;
      product[2 * f + 1] = a[2 * f]! * b[2 * f + 1]! + a[2 * f + 1]! * b[2 * f]!;
    }
    psi.push(...fft.inverseReal(product, 'ortho'));
  }
  reader.compare('out/orthoSpecRe', part(spectrum, 0));
  reader.compare('out/orthoSpecIm', part(spectrum, 1));
  reader.compare('out/psi', psi);
}

function compareAccumulator(reader: CaseReader, m: number): void {
  const updates = reader.values('in/updates');
  const accumulator = new SpectralAccumulator({ length: m, resyncEvery: 0 });
  const sum = new Float64Array(2 * m);
  for (let at = 0; at < updates.length; at += 2 * m) {
    const delta = interleave(updates.subarray(at, at + m), updates.subarray(at + m, at + 2 * m));
    accumulator.add(delta);
    delta.forEach((value, i) => {
      sum[i] = sum[i]! + value;
    });
  }
  const transformed = Fft.plan(m).forward(sum, undefined, 'ortho');
  reader.compare('out/cacheRe', part(accumulator.spectrum(), 0));
  reader.compare('out/cacheIm', part(accumulator.spectrum(), 1));
  reader.compare('out/cacheSumRe', part(transformed, 0));
  reader.compare('out/cacheSumIm', part(transformed, 1));
}

import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type ConvolutionMethod, circularConvolve, circularCorrelate } from '../circular.js';
import { imaginaryPart, multiplyComplex, realPart, toComplex } from '../complex.js';
import { Fft } from '../fft.js';
import { SpectralAccumulator } from '../spectral-accumulator.js';

const METHODS: readonly ConvolutionMethod[] = ['fft', 'direct'];

/** Real and complex convolution and correlation by both methods, unitary spectra and the spectral accumulator. */
export const convolutionCase: GoldenHandler = {
  system: 'osam',
  kind: 'convolution',
  run: (testCase) => {
    const { m } = testCase.config as { readonly m: number };
    const [xRe, yRe] = [testCase.numbers('in/xRe'), testCase.numbers('in/yRe')];
    const x = toComplex(xRe, testCase.numbers('in/xIm'));
    const y = toComplex(yRe, testCase.numbers('in/yIm'));
    const products = METHODS.map((method) => {
      const real = { length: m, method };
      const complex = { length: m, complex: true, method };
      return {
        [`out/realConv@${method}`]: () => circularConvolve(xRe, yRe, real),
        [`out/realCorr@${method}`]: () => circularCorrelate(xRe, yRe, real),
        ...complexOutputs('out/conv', () => circularConvolve(x, y, complex), `@${method}`),
        ...complexOutputs('out/corr', () => circularCorrelate(x, y, complex), `@${method}`),
      };
    });
    return Object.assign({}, ...products, spectra(x, y, m), accumulator(testCase, m)) as GoldenOutputs;
  },
};

function complexOutputs(name: string, compute: () => Float32Array | Float64Array, form = ''): GoldenOutputs {
  return {
    [`${name}Re${form}`]: () => realPart(compute()),
    [`${name}Im${form}`]: () => imaginaryPart(compute()),
  };
}

function spectra(x: Float64Array, y: Float64Array, m: number): GoldenOutputs {
  const fft = Fft.plan(m);
  const [spectrum, other] = [x, y].map((signal) => fft.forward<Float64Array>(signal, undefined, 'ortho'));
  const psi = () => {
    const product = new Float64Array(x.length);
    multiplyComplex(spectrum!, other!, product);
    return fft.inverseReal(product, 'ortho');
  };
  return { ...complexOutputs('out/orthoSpec', () => spectrum!), 'out/psi': psi };
}

function accumulator(testCase: GoldenCase, m: number): GoldenOutputs {
  if (!testCase.has('in/updates')) return {};
  const updates = testCase.numbers('in/updates');
  const cache = new SpectralAccumulator({ length: m, resyncEvery: 0 });
  for (let at = 0; at < updates.length; at += 2 * m) {
    cache.add(toComplex(updates.subarray(at, at + m), updates.subarray(at + m, at + 2 * m)));
  }
  // Transformed back, the cache is the sum of the updates.
  const sum = () => Fft.plan(m).inverse(cache.spectrum(), new Float64Array(2 * m), 'ortho');
  return {
    ...complexOutputs('out/cache', () => cache.spectrum()),
    ...complexOutputs('out/cacheSum', sum),
  };
}

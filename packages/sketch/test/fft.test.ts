import { describe, expect, it } from 'vitest';
import { Fft, type FftNorm } from '../src/index.js';
import { dot, normals, relativeError } from './support/statistics.js';

const sizes = [2, 4, 12, 16, 45, 256, 4096];

/** The defining sum, F(x)_f = Σ_r x_r e^(-2πi f r/m). */
function plainSum(x: Float64Array): Float64Array {
  const m = x.length / 2;
  const turns = Array.from({ length: m }, (_, r) => [
    Math.cos((2 * Math.PI * r) / m),
    -Math.sin((2 * Math.PI * r) / m),
  ]);
  const result = new Float64Array(2 * m);
  for (let f = 0; f < m; f++) {
    for (let r = 0; r < m; r++) {
      const [cos, sin] = turns[(f * r) % m]! as [number, number];
      result[2 * f] = result[2 * f]! + x[2 * r]! * cos - x[2 * r + 1]! * sin;
      result[2 * f + 1] = result[2 * f + 1]! + x[2 * r]! * sin + x[2 * r + 1]! * cos;
    }
  }
  return result;
}

describe.each([1, ...sizes, 3, 5, 64, 65, 100, 127, 1000])('transforms of size %i (property 14)', (m) => {
  const fft = new Fft(m);
  const [x, y] = [normals(2 * m, m), normals(2 * m, m + 1)];
  const X = fft.forward(x);

  it('equal the plain sum', () => {
    expect(relativeError(X, plainSum(x))).toBeLessThan(1e-12);
    const single = fft.forward(Float32Array.from(x), new Float32Array(2 * m));
    expect(relativeError(single, plainSum(x))).toBeLessThan(2e-5);
  });

  it('come back under every norm, and the norms differ by their factors', () => {
    const factors: Record<FftNorm, number> = { backward: 1, ortho: 1 / Math.sqrt(m), forward: 1 / m };
    for (const norm of ['backward', 'ortho', 'forward'] as const) {
      const spectrum = fft.forward(x, undefined, norm);
      expect(relativeError(fft.inverse(spectrum, undefined, norm), x)).toBeLessThan(1e-12);
      expect(
        relativeError(
          spectrum,
          X.map((value) => value * factors[norm]),
        ),
      ).toBeLessThan(1e-12);
    }
  });

  it('keep the energy, sums and shifts', () => {
    expect(dot(X, X) / m / dot(x, x)).toBeCloseTo(1, 12);
    const Y = fft.forward(y);
    const sum = fft.forward(x.map((value, i) => 2 * value - 3 * y[i]!));
    expect(
      relativeError(
        sum,
        X.map((value, i) => 2 * value - 3 * Y[i]!),
      ),
    ).toBeLessThan(1e-12);
    const shift = Math.floor(m / 3) + 1;
    const shifted = new Float64Array(2 * m);
    const expected = new Float64Array(2 * m);
    for (let r = 0; r < m; r++) {
      const to = (r + shift) % m;
      [shifted[2 * to], shifted[2 * to + 1]] = [x[2 * r]!, x[2 * r + 1]!];
      const angle = (-2 * Math.PI * ((r * shift) % m)) / m;
      expected[2 * r] = X[2 * r]! * Math.cos(angle) - X[2 * r + 1]! * Math.sin(angle);
      expected[2 * r + 1] = X[2 * r]! * Math.sin(angle) + X[2 * r + 1]! * Math.cos(angle);
    }
    expect(relativeError(fft.forward(shifted), expected)).toBeLessThan(1e-12);
  });

  it('of real signals are those of complex ones, conjugate-symmetric, and come back real', () => {
    const real = normals(m, 7);
    const spectrum = fft.forwardReal(real);
    const complex = new Float64Array(2 * m);
    for (let r = 0; r < m; r++) complex[2 * r] = real[r]!;
    expect(relativeError(spectrum, fft.forward(complex))).toBeLessThan(1e-12);
    const mirrored = spectrum.map((_, i) => {
      const mirror = 2 * ((m - (i >> 1)) % m);
      return i % 2 === 0 ? spectrum[mirror]! : -spectrum[mirror + 1]!;
    });
    expect(relativeError(spectrum, mirrored)).toBeLessThan(1e-12);
    expect(relativeError(fft.inverseReal(spectrum), real)).toBeLessThan(1e-12);
    const ortho = fft.forwardReal(real, 'ortho');
    expect(relativeError(fft.inverseReal(ortho, 'ortho'), real)).toBeLessThan(1e-12);
  });

  it('treat leading axes as a batch and may write over their input', () => {
    const both = Float64Array.of(...x, ...y);
    const expected = Float64Array.of(...X, ...fft.forward(y));
    expect(fft.forward(both)).toEqual(expected);
    expect(fft.forward(both, both)).toBe(both);
    expect(both).toEqual(expected);
  });
});

it('keeps the most recently used plans only', () => {
  Fft.setMaxPlans(2);
  const [a, b] = [Fft.plan(8), Fft.plan(9)];
  expect(Fft.plan(8)).toBe(a);
  Fft.plan(10);
  expect(Fft.cachedPlans).toBe(2);
  expect(Fft.plan(8)).toBe(a);
  expect(Fft.plan(9)).not.toBe(b);
  Fft.setMaxPlans(4);
  for (const size of [2, 3, 4, 5, 6]) Fft.plan(size);
  expect(Fft.cachedPlans).toBe(4);
});

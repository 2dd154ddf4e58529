import { describe, expect, it } from 'vitest';
import { Fft, SpectralAccumulator } from '../src/index.js';
import { normals, relativeError } from './support/statistics.js';

const m = 256;

/** Adds n random float32 updates; returns their sum in float64. */
function feed(accumulator: SpectralAccumulator, n: number): Float64Array {
  const values = normals(2 * m * (n + 16), 1);
  const sum = new Float64Array(2 * m);
  for (let update = 0; update < n; update++) {
    const delta = Float32Array.from(values.subarray(2 * m * update, 2 * m * (update + 1)));
    accumulator.add(delta);
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + delta[i]!;
  }
  return sum;
}

describe('the spectral accumulator (property 17)', () => {
  it('is the unitary transform of the sum', () => {
    const accumulator = new SpectralAccumulator({ length: m, resyncEvery: 0 });
    const sum = feed(accumulator, 20);
    const exact = new Fft(m).forward(sum, undefined, 'ortho');
    expect(relativeError(accumulator.spectrum(), exact)).toBeLessThan(1e-6);
    expect(accumulator.updates).toBe(20);
  });

  it('drifts by less than 1e-5 over 10 000 float32 updates, and resync takes the drift away', () => {
    const accumulator = new SpectralAccumulator({ length: m, resyncEvery: 0 });
    const sum = feed(accumulator, 10_000);
    const before = accumulator.drift(sum);
    expect(before).toBeLessThan(1e-5);
    expect(before).toBeGreaterThan(2e-7);
    accumulator.resync(sum);
    expect(accumulator.drift(sum)).toBeLessThan(1e-7);
    expect(accumulator.updates).toBe(0);
  });

  it('resynchronises by itself every so many updates, signals and spectra alike', () => {
    const [automatic, never] = [50, 0].map(
      (resyncEvery) => new SpectralAccumulator({ length: m, resyncEvery }),
    );
    const sum = feed(automatic!, 2000);
    feed(never!, 2000);
    expect(automatic!.updates).toBe(0);
    expect(automatic!.drift(sum)).toBeLessThan(1e-7);
    expect(never!.drift(sum)).toBeGreaterThan(3 * automatic!.drift(sum));
    const bySpectra = new SpectralAccumulator({ length: 3, resyncEvery: 2 });
    const spectra = [normals(6, 1), normals(6, 2), normals(6, 3)];
    for (const spectrum of spectra) bySpectra.addSpectrum(spectrum);
    const expected = spectra[0]!.map((value, i) => value + spectra[1]![i]! + spectra[2]![i]!);
    expect(bySpectra.updates).toBe(1);
    expect(relativeError(bySpectra.spectrum(), expected)).toBeLessThan(1e-6);
  });

  it('hands out copies', () => {
    const accumulator = new SpectralAccumulator({ length: 2 });
    accumulator.spectrum().fill(7);
    expect([...accumulator.spectrum()]).toEqual([0, 0, 0, 0]);
  });
});

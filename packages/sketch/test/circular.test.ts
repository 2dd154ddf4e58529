import { describe, expect, it } from 'vitest';
import {
  bind,
  circularConvolve,
  circularCorrelate,
  Fft,
  toComplex,
  unbind,
  unitaryKey,
} from '../src/index.js';
import { dot, norm, normals, relativeError } from './support/statistics.js';

const methods = ['fft', 'direct', 'auto'] as const;

/** Σ over a of x_a y_{r-a}, or of conj(x_a) y_{a+r}, of interleaved complex signals. */
function byDefinition(x: Float64Array, y: Float64Array, correlate: boolean): Float64Array {
  const m = x.length / 2;
  const result = new Float64Array(2 * m);
  for (let r = 0; r < m; r++) {
    for (let a = 0; a < m; a++) {
      const at = 2 * (correlate ? (a + r) % m : (r - a + m) % m);
      const [re, im] = [x[2 * a]!, correlate ? -x[2 * a + 1]! : x[2 * a + 1]!];
      result[2 * r] = result[2 * r]! + re * y[at]! - im * y[at + 1]!;
      result[2 * r + 1] = result[2 * r + 1]! + re * y[at + 1]! + im * y[at]!;
    }
  }
  return result;
}

describe.each([1, 2, 12, 16, 45, 100])('signals of length %i (property 15)', (m) => {
  it.each(methods)('method %s equals the sums, real and complex', (method) => {
    const [x, y] = [normals(2 * m, 1), normals(2 * m, 2)];
    const [realX, realY] = [normals(m, 3), normals(m, 4)];
    for (const [combine, correlate] of [
      [circularConvolve, false],
      [circularCorrelate, true],
    ] as const) {
      const complex = combine(x, y, { complex: true, method });
      expect(relativeError(complex, byDefinition(x, y, correlate))).toBeLessThan(1e-10);
      const real = toComplex(combine(realX, realY, { method }));
      expect(relativeError(real, byDefinition(toComplex(realX), toComplex(realY), correlate))).toBeLessThan(
        1e-10,
      );
    }
  });

  it.each(methods)('method %s is commutative and associative', (method) => {
    const [x, y, z] = [normals(m, 1), normals(m, 2), normals(m, 3)];
    const times = (a: Float64Array, b: Float64Array) => circularConvolve(a, b, { method });
    expect(relativeError(times(x, y), times(y, x))).toBeLessThan(1e-10);
    expect(relativeError(times(times(x, y), z), times(x, times(y, z)))).toBeLessThan(1e-10);
  });

  it('the transforms of both are products of transforms', () => {
    const [x, y] = [normals(m, 1), normals(m, 2)];
    const fft = new Fft(m);
    const [X, Y] = [fft.forwardReal(x), fft.forwardReal(y)];
    for (const [combined, sign] of [
      [circularConvolve(x, y), 1],
      [circularCorrelate(x, y), -1],
    ] as const) {
      const product = X.map((_, i) => {
        const [re, im, u, v] = [X[i & ~1]!, sign * X[i | 1]!, Y[i & ~1]!, Y[i | 1]!];
        return i % 2 === 0 ? re * u - im * v : re * v + im * u;
      });
      expect(relativeError(fft.forwardReal(combined), product)).toBeLessThan(1e-10);
    }
  });

  it('a unitary key undoes its binding', () => {
    const [key, value] = [unitaryKey(m, m), normals(m, 5)];
    expect(norm(key)).toBeCloseTo(1, 12);
    for (const method of methods) {
      expect(relativeError(unbind(key, bind(key, value, { method }), { method }), value)).toBeLessThan(1e-10);
    }
  });
});

it('the unitary product is the convolution over √m (property 16)', () => {
  for (const m of [12, 16]) {
    const [x, y] = [normals(2 * m, 1), normals(2 * m, 2)];
    const fft = new Fft(m);
    const [X, Y] = [x, y].map((signal) => fft.forward<Float64Array>(signal, undefined, 'ortho'));
    const product = X!.map((_, i) => {
      const [re, im, u, v] = [X![i & ~1]!, X![i | 1]!, Y![i & ~1]!, Y![i | 1]!];
      return i % 2 === 0 ? re * u - im * v : re * v + im * u;
    });
    const expected = byDefinition(x, y, false).map((value) => value / Math.sqrt(m));
    expect(relativeError(fft.inverse(product, undefined, 'ortho'), expected)).toBeLessThan(2e-5);
  }
});

describe('rows of signals', () => {
  it('are combined one by one, and one signal serves all', () => {
    const [m, rows] = [9, 4];
    const [x, y] = [normals(rows * m, 1), normals(rows * m, 2)];
    const row = (values: Float64Array, i: number) => values.subarray(i * m, (i + 1) * m);
    for (const method of methods) {
      const all = circularConvolve(x, y, { length: m, method });
      const oneKey = circularCorrelate(row(x, 0), y, { length: m, method });
      for (let i = 0; i < rows; i++) {
        expect(row(all, i)).toEqual(circularConvolve(row(x, i), row(y, i), { method }));
        expect(row(oneKey, i)).toEqual(circularCorrelate(row(x, 0), row(y, i), { method }));
      }
    }
  });

  it('are float32 only if both sides are', () => {
    const [x, y] = [Float32Array.from(normals(8, 1)), normals(8, 2)];
    expect(circularConvolve(x, Float32Array.from(y))).toBeInstanceOf(Float32Array);
    expect(circularConvolve(x, y)).toBeInstanceOf(Float64Array);
    expect(circularConvolve(y, x)).toBeInstanceOf(Float64Array);
  });
});

it.each([1, 4, 16])('unbinding one of %i random bindings has similarity 1/√(1+n) (property 20)', (count) => {
  const [m, draws] = [1024, 30];
  let similarity = 0;
  for (let draw = 0; draw < draws; draw++) {
    const trace = new Float64Array(m);
    const vectors = Array.from({ length: 2 * count }, (_, i) =>
      normals(m, 1000 * draw + 100 * count + i, 1 / Math.sqrt(m)),
    );
    for (let i = 0; i < count; i++) {
      const bound = bind(vectors[2 * i]!, vectors[2 * i + 1]!);
      for (let r = 0; r < m; r++) trace[r] = trace[r]! + bound[r]!;
    }
    const read = unbind(vectors[0]!, trace);
    similarity += dot(read, vectors[1]!) / (norm(read) * norm(vectors[1]!)) / draws;
  }
  expect(Math.abs(similarity - 1 / Math.sqrt(1 + count))).toBeLessThan(0.05);
});

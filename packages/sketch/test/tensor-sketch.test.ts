import { describe, expect, it } from 'vitest';
import { TensorSketch } from '../src/index.js';
import { dot, meanAndVariance, normals, relativeError, unit, zScore } from './support/statistics.js';

const dim = 24;
const draws = 2500;
const [x, y] = [unit(normals(dim, 1)), unit(normals(dim, 2))];

/** Inner products ⟨T(x), T(y)⟩ over independent draws of all tables. */
function innerProducts(options: { sketchDim: number; degree: number; gamma?: number; coef0?: number }) {
  return Float64Array.from({ length: draws }, (_, draw) => {
    const sketch = new TensorSketch({ dim, seed: draw * options.degree, ...options });
    return dot(sketch.transform(x), sketch.transform(y));
  });
}

describe.each([1, 2, 3])('degree %i', (degree) => {
  const truth = dot(x, y) ** degree;
  const sizes = [64, 256, 1024];
  const samples = sizes.map((sketchDim) => innerProducts({ sketchDim, degree }));

  it('is unbiased (property 8)', () => {
    for (const sample of samples) expect(Math.abs(zScore(sample, truth))).toBeLessThan(4.5);
  });

  it('keeps both bounds on the variance (property 9)', () => {
    const a = x.reduce((sum, value, i) => sum + Math.abs(value * y[i]!), 0);
    const refined = (1 + 2 * a ** 2) ** degree - a ** (2 * degree);
    for (const [k, sketchDim] of sizes.entries()) {
      const scaled = sketchDim * meanAndVariance(samples[k]!).variance;
      expect(scaled).toBeLessThanOrEqual(3 ** degree - 1);
      expect(scaled).toBeLessThanOrEqual(refined);
    }
  });

  it('has an RMS error that falls like 1/√m (property 10)', () => {
    const errors = samples.map((sample) => {
      return Math.sqrt(sample.reduce((sum, value) => sum + (value - truth) ** 2, 0) / sample.length);
    });
    for (const ratio of [errors[0]! / errors[1]!, errors[1]! / errors[2]!]) {
      expect(ratio).toBeGreaterThan(1.6);
      expect(ratio).toBeLessThan(2.5);
    }
  });
});

it('both routes agree for every degree up to 3, and auto takes one of them (property 11)', () => {
  for (const degree of [1, 2, 3]) {
    for (const [d, sketchDim] of [
      [10, 32],
      [10, 33],
      [5, 1],
      [3, 100],
    ] as const) {
      const options = { dim: d, sketchDim, degree, seed: 5 };
      const factors = Array.from({ length: degree }, (_, factor) => normals(3 * d, factor));
      const [fft, direct, auto] = (['fft', 'direct', 'auto'] as const).map((method) =>
        new TensorSketch({ ...options, method }).transformFactors(factors),
      );
      expect(relativeError(fft!, direct!)).toBeLessThan(1e-5);
      expect([fft, direct]).toContainEqual(auto);
    }
  }
});

it('is the CountSketch of the outer power under the composite hash', () => {
  const [d, sketchDim] = [4, 7];
  const sketch = new TensorSketch({ dim: d, sketchDim, degree: 3, seed: 1 });
  const v = normals(d, 9);
  const expected = new Float64Array(sketchDim);
  for (let code = 0; code < d ** 3; code++) {
    const digits = [code % d, Math.floor(code / d) % d, Math.floor(code / d ** 2)];
    const bucket = digits.reduce((sum, i, j) => sum + sketch.tables[j]!.index[i]!, 0) % sketchDim;
    expected[bucket] =
      expected[bucket]! + digits.reduce((p, i, j) => p * sketch.tables[j]!.sign[i]! * v[i]!, 1);
  }
  expect(relativeError(sketch.transform(v), expected)).toBeLessThan(1e-12);
});

it('transforms rows like single vectors, in their precision', () => {
  const sketch = new TensorSketch({ dim: 6, sketchDim: 20, seed: 3 });
  const rows = Float32Array.from(normals(18, 4));
  const all = sketch.transform(rows);
  expect(all).toBeInstanceOf(Float32Array);
  for (let row = 0; row < 3; row++) {
    expect(all.subarray(row * 20, (row + 1) * 20)).toEqual(
      sketch.transform(rows.subarray(row * 6, (row + 1) * 6)),
    );
  }
});

describe.each([63, 64])('one shared table, m = %i (property 12)', (sketchDim) => {
  const d = 6;
  const [q, k, otherQ, otherK] = [1, 2, 3, 4].map((seed) => unit(normals(d, seed)));
  const options = { dim: d, sketchDim, method: 'direct' } as const;

  it('is symmetric, and independent tables are not', () => {
    const shared = new TensorSketch({ ...options, sharedTable: true });
    expect(relativeError(shared.transformFactors([q!, k!]), shared.transformFactors([k!, q!]))).toBeLessThan(
      1e-6,
    );
    const independent = new TensorSketch(options);
    const swapped = independent.transformFactors([k!, q!]);
    expect(relativeError(independent.transformFactors([q!, k!]), swapped)).toBeGreaterThan(0.1);
  });

  /** ⟨T(q, k), T(q', k')⟩ over 20 000 draws of all tables. */
  const sample = (sharedTable: boolean) =>
    Float64Array.from({ length: 20_000 }, (_, draw) => {
      const sketch = new TensorSketch({ ...options, seed: 2 * draw, sharedTable });
      return dot(sketch.transformFactors([q!, k!]), sketch.transformFactors([otherQ!, otherK!]));
    });
  const plain = dot(q!, otherQ!) * dot(k!, otherK!);

  it('has the biased mean of B.3', () => {
    const D = q!.reduce((sum, value, i) => sum + value * k![i]! * otherQ![i]! * otherK![i]!, 0);
    const p2 = sketchDim % 2 === 0 ? 2 / sketchDim : 1 / sketchDim;
    const crossed = dot(q!, otherK!) * dot(k!, otherQ!) - D + p2 * (dot(q!, k!) * dot(otherQ!, otherK!) - D);
    const biased = sample(true);
    expect(Math.abs(zScore(biased, plain + crossed))).toBeLessThan(4.5);
    // The bias is far outside of what chance explains, so the test above cannot pass by accident.
    expect(Math.abs(zScore(biased, plain))).toBeGreaterThan(10);
  });

  it('independent tables have no bias', () => {
    expect(Math.abs(zScore(sample(false), plain))).toBeLessThan(4.5);
  });
});

it('the inhomogeneous kernel is unbiased (property 13)', () => {
  const [gamma, coef0, degree] = [0.5, 1, 2];
  const truth = (gamma * dot(x, y) + coef0) ** degree;
  const sketch = new TensorSketch({ dim, sketchDim: 64, degree, gamma, coef0 });
  expect(sketch.kernel(x, y)).toBeCloseTo(truth, 12);
  expect(Math.abs(zScore(innerProducts({ sketchDim: 64, degree, gamma, coef0 }), truth))).toBeLessThan(4.5);
});

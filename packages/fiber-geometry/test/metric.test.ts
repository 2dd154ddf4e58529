import { ndarray, Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { euclideanField, expMap, poincareBallField, RiemannianMetric } from '../src/index.js';
import { engineNames, evaluate, input } from './helpers.js';

/** Smallest eigenvalue is positive if and only if every pivot of the elimination is. */
function isPositiveDefinite(matrix: Float64Array, d: number): boolean {
  const work = matrix.slice();
  for (let pivot = 0; pivot < d; pivot++) {
    if (!(work[pivot * d + pivot]! > 0)) return false;
    for (let row = pivot + 1; row < d; row++) {
      const factor = work[row * d + pivot]! / work[pivot * d + pivot]!;
      for (let column = pivot; column < d; column++)
        work[row * d + column]! -= factor * work[pivot * d + column]!;
    }
  }
  return true;
}

describe.each(engineNames)('metric on %s', (engine) => {
  it('is exactly symmetric and positive definite on 1,000 points, also far out', async () => {
    const rng = Rng.fromSeed(5);
    const d = 8;
    const metric = new RiemannianMetric(d, { rng });
    const x = rng.normalArray([1000, d]);
    for (let row = 900; row < 1000; row++) {
      const norm = Math.hypot(...x.data.subarray(row * d, row * d + d));
      for (let i = 0; i < d; i++) x.data[row * d + i]! *= 50 / norm;
    }
    const { g } = await evaluate(engine, (points) => ({ g: metric.forward(points) }), input(x));
    for (let row = 0; row < 1000; row++) {
      const matrix = Float64Array.from(g!.slice(row * d * d, (row + 1) * d * d));
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < i; j++) expect(matrix[i * d + j]).toBe(matrix[j * d + i]);
      }
      expect(isPositiveDefinite(matrix, d)).toBe(true);
    }
  });

  it('starts near 0.48 I', async () => {
    const metric = new RiemannianMetric(8, { rng: Rng.fromSeed(2) });
    const x = Rng.fromSeed(3).normalArray([50, 8]);
    const { g } = await evaluate(engine, (points) => ({ g: metric.forward(points) }), input(x));
    const diagonal = g!.filter((_, index) => index % 9 === 0 && Math.floor((index % 64) / 8) === index % 8);
    const mean = diagonal.reduce((sum, value) => sum + value, 0) / diagonal.length;
    expect(Math.abs(mean - (Math.log(2) + 1e-3) ** 2)).toBeLessThan(0.05);
  });

  it('refuses points of the wrong dimension', async () => {
    const metric = new RiemannianMetric(4, { rng: Rng.fromSeed(2) });
    const x = input(ndarray(new Float32Array(6), [2, 3]));
    await expect(evaluate(engine, (points) => ({ g: metric.forward(points) }), x)).rejects.toThrow(
      /\[rows, 4\]/,
    );
  });
});

describe('metric on the host', () => {
  it('agrees with the tensor form, and its Christoffel symbols with difference quotients', async () => {
    const rng = Rng.fromSeed(11);
    const d = 5;
    const metric = new RiemannianMetric(d, { rng });
    const field = metric.field();
    const x = rng.normalArray([6, d]);
    const points = Float64Array.from(x.data);
    const { g } = await evaluate('cpu', (p) => ({ g: metric.forward(p) }), input(x));
    field.metricAt(points, 6).forEach((value, i) => {
      expect(Math.abs(value - g![i]!)).toBeLessThan(1e-5);
    });
    const gradient = field.metricGradientAt(points, 6);
    const h = 1e-5;
    for (let l = 0; l < d; l++) {
      const shifted = (by: number) =>
        field.metricAt(
          points.map((value, e) => (e % d === l ? value + by : value)),
          6,
        );
      const [plus, minus] = [shifted(h), shifted(-h)];
      plus.forEach((value, entry) => {
        expect(Math.abs((value - minus[entry]!) / (2 * h) - gradient[entry * d + l]!)).toBeLessThan(1e-7);
      });
    }
    const symbols = metric.christoffel(x);
    expect(symbols.shape).toEqual([6, d, d, d]);
    for (let n = 0; n < 6 * d; n++) {
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < i; j++) {
          expect(symbols.data[(n * d + i) * d + j]).toBeCloseTo(symbols.data[(n * d + j) * d + i]!, 6);
        }
      }
    }
  });

  it('has an exponential map that matches the closed form of the ball to 1e-8', () => {
    const x = [0.2, -0.1, 0.3];
    const v = [0.3, 0.25, -0.1];
    const [xx, vv] = [0.14, Math.hypot(...v)];
    const lambda = 2 / (1 - xx);
    const y = v.map((value) => (Math.tanh((lambda * vv) / 2) * value) / vv);
    const [xy, yy] = [x.reduce((s, a, i) => s + a * y[i]!, 0), y.reduce((s, a) => s + a * a, 0)];
    const exact = x.map((a, i) => ((1 + 2 * xy + yy) * a + (1 - xx) * y[i]!) / (1 + 2 * xy + xx * yy));
    expMap(poincareBallField(3), x, v).forEach((value, i) => {
      expect(Math.abs(value - exact[i]!)).toBeLessThan(1e-8);
    });
    expect(Array.from(expMap(euclideanField(3), x, v))).toEqual(
      x.map((a, i) => expect.closeTo(a + v[i]!, 12)),
    );
  });

  it('asks for parameters or a random source', () => {
    expect(() => new RiemannianMetric(4)).toThrow(/rng/);
  });
});

import { type NDArray, ndarray, Rng, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { PathEnergy } from '../src/geodesic-energy.js';
import {
  Euclidean,
  euclideanField,
  GeodesicSolver,
  greatCirclePath,
  PoincareBall,
  poincareBallField,
  RiemannianMetric,
  Sphere,
  stereographicSphereField,
} from '../src/index.js';
import { engineNames, evaluate, input, largestDifference, unitRows } from './helpers.js';

const row = (array: NDArray<'float32'>, index: number): NDArray<'float32'> => {
  const width = array.data.length / array.shape[0]!;
  return ndarray(array.data.slice(index * width, (index + 1) * width), [1, ...array.shape.slice(1)]);
};

describe('geodesic solver', () => {
  const rng = Rng.fromSeed(31);
  const d = 8;
  const metric = new RiemannianMetric(d, { rng });
  const xs = rng.normalArray([6, d]);
  const xe = rng.normalArray([6, d]);

  it('has the closed-form gradient of the discrete energy', () => {
    const model = new PathEnergy(metric.field(), { items: 2, points: 5, d });
    const paths = Float64Array.from(rng.normalArray([2, 5, d]).data);
    model.evaluate(paths);
    const gradient = model.gradient.slice();
    const total = (p: Float64Array) => {
      model.evaluate(p);
      return model.energy.reduce((sum, value) => sum + value, 0);
    };
    const h = 1e-5;
    for (let e = 0; e < gradient.length; e++) {
      const at = Math.floor(e / (3 * d)) * 5 * d + d + (e % (3 * d));
      const moved = (by: number) => total(paths.map((value, i) => (i === at ? value + by : value)));
      expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - gradient[e]!)).toBeLessThan(1e-6);
    }
  });

  it('keeps the ends bit for bit, converges, and finds less energy than Adam and the straight line', () => {
    const solved = new GeodesicSolver(metric).solve(xs, xe);
    const adam = new GeodesicSolver(metric, { method: 'adam' }).solve(xs, xe);
    const straight = new GeodesicSolver(metric, { method: 'straight' }).solve(xs, xe);
    expect(solved.converged).toBe(true);
    expect(solved.iterations).toBeLessThanOrEqual(10);
    const width = 10 * d;
    for (let item = 0; item < 6; item++) {
      expect(solved.path.data.slice(item * width, item * width + d)).toEqual(row(xs, item).data);
      expect(solved.path.data.slice((item + 1) * width - d, (item + 1) * width)).toEqual(row(xe, item).data);
      expect(solved.energyPerItem[item]).toBeLessThanOrEqual(adam.energyPerItem[item]! * (1 + 1e-9));
      expect(solved.energyPerItem[item]).toBeLessThan(straight.energyPerItem[item]!);
      expect(solved.length[item]).toBeCloseTo(Math.sqrt(9 * solved.energyPerItem[item]!), 12);
    }
  });

  it('gives an item the same path alone and among others', () => {
    const solver = new GeodesicSolver(metric);
    const together = solver.solve(xs, xe);
    for (let item = 0; item < 6; item++) {
      const alone = solver.solve(row(xs, item), row(xe, item));
      expect(alone.path.data).toEqual(row(together.path, item).data);
      expect(alone.iterationsPerItem[0]).toBe(together.iterationsPerItem[item]);
    }
  });

  it('stays on the straight line for equal and nearly equal ends', () => {
    const near = ndarray(
      xs.data.map((value) => value + 0.01),
      xs.shape,
    );
    const solver = new GeodesicSolver(metric);
    const same = solver.solve(xs, xs);
    expect([same.energy, same.iterations, same.converged]).toEqual([0, 0, true]);
    const straight = new GeodesicSolver(metric, { method: 'straight' }).solve(xs, near);
    solver.solve(xs, near).energyPerItem.forEach((energy, item) => {
      expect(energy).toBeLessThanOrEqual(straight.energyPerItem[item]!);
    });
  });

  it('needs one iteration on a flat metric', () => {
    const bent = new GeodesicSolver(euclideanField(d), { nGeoPts: 6 }).solve(xs, xe);
    expect(bent.iterations).toBeLessThanOrEqual(1);
  });

  it.each([
    ['ball', poincareBallField, PoincareBall],
    ['sphere', stereographicSphereField, undefined],
  ] as const)('approaches closed-form lengths like 1/N²: %s', async (_name, field, manifold) => {
    const points = rng.uniformArray([5, 3], -0.45, 0.45);
    const others = rng.uniformArray([5, 3], -0.45, 0.45);
    const exact = manifold
      ? (await evaluate('cpu', (x, y) => manifold.dist(x, y), input(points), input(others)))['']!
      : Array.from({ length: 5 }, (_, n) => {
          const [x, y] = [row(points, n).data, row(others, n).data];
          const s = (v: Float32Array) => v.reduce((sum, value) => sum + value * value, 0);
          const gap = s(x.map((value, i) => value - y[i]!));
          return 2 * Math.asin(Math.sqrt(gap / ((1 + s(x)) * (1 + s(y)))));
        });
    const error = (n: number) => {
      const { length } = new GeodesicSolver(field(3), { nGeoPts: n, tol: 1e-10 }).solve(points, others);
      return Math.max(...exact.map((value, item) => Math.abs(length[item]! / value - 1)));
    };
    const [coarse, fine] = [error(8), error(32)];
    expect(coarse).toBeLessThan(3e-3);
    expect(fine).toBeLessThan(coarse / 8);
  });

  it('says what is wrong', () => {
    const solver = new GeodesicSolver(metric);
    expect(() => solver.solve(xs, row(xe, 0))).toThrow(/\[batch, 8\]/);
    const nan = ndarray(
      xs.data.map((value, i) => (i === 9 ? Number.NaN : value)),
      xs.shape,
    );
    expect(() => solver.solve(xs, nan)).toThrow(/end of a geodesic holds NaN at element 9/);
    expect(() => new GeodesicSolver(metric, { tol: 0 })).toThrow(/tol/);
    expect(() => new GeodesicSolver(metric, { maxSteps: -1 })).toThrow(/maxSteps/);
  });
});

describe.each(engineNames)('great circles and closed forms on %s', (engine) => {
  it('stay on the sphere and keep their ends, also for equal, near and antipodal points', async () => {
    const rng = Rng.fromSeed(17);
    const src = unitRows(rng, 40, 6);
    const dst = unitRows(rng, 40, 6);
    const blend = [0, -1, 1e-3, -1e-3, 1e-5, -1e-5];
    blend.forEach((amount, n) => {
      const part = src.data.subarray(n * 6, n * 6 + 6);
      const sign = amount < 0 || Object.is(amount, -0) || amount === -1 ? -1 : 1;
      const nudge = Math.abs(amount) === 1 ? 0 : Math.abs(amount);
      const mixed = Array.from(part, (value, i) => sign * value + nudge * dst.data[n * 6 + i]!);
      const norm = Math.hypot(...mixed);
      dst.data.set(
        mixed.map((value) => value / norm),
        n * 6,
      );
    });
    const { points, tangents } = await evaluate(
      engine,
      (p, q) => greatCirclePath(p, q, 9),
      input(src),
      input(dst),
    );
    for (let n = 0; n < 40; n++) {
      const at = (k: number) => points!.slice((n * 9 + k) * 6, (n * 9 + k + 1) * 6);
      for (let k = 0; k < 9; k++) expect(Math.abs(Math.hypot(...at(k)) - 1)).toBeLessThan(1e-6);
      expect(largestDifference(at(0), src.data.slice(n * 6, n * 6 + 6))).toBeLessThan(1e-6);
      expect(largestDifference(at(8), dst.data.slice(n * 6, n * 6 + 6)), `end of row ${n}`).toBeLessThan(
        1e-6,
      );
      const speeds = [0, 4, 8].map((k) =>
        Math.hypot(...tangents!.slice((n * 9 + k) * 6, (n * 9 + k + 1) * 6)),
      );
      expect(Math.abs(speeds[0]! - speeds[2]!)).toBeLessThan(2e-6);
    }
  });

  it('has finite gradients everywhere', async () => {
    const rng = Rng.fromSeed(18);
    const src = unitRows(rng, 3, 5);
    const dst = unitRows(rng, 3, 5);
    dst.data.set(src.data.subarray(0, 5));
    dst.data.set(
      src.data.subarray(5, 10).map((value) => -value),
      5,
    );
    const gradients = await evaluate(
      engine,
      (p) =>
        valueAndGradient((q) => tf.sum(tf.square(tf.sub(greatCirclePath(q.src, q.dst, 5).points, 0.3))), p)
          .gradients,
      { src: input(src), dst: input(dst) },
    );
    for (const values of Object.values(gradients)) expect(values.every(Number.isFinite)).toBe(true);
  });

  it('the angle of orthogonal ends falls as they come nearer', async () => {
    const axis = (n: number) =>
      ndarray(
        [0, 1, 2].map((i) => (i === n ? 1 : 0)),
        [1, 3],
      );
    const { gradient } = await evaluate(
      engine,
      (p, q) => ({ gradient: tf.grad((end) => tf.sum(Sphere.dist(p, end)))(q) }),
      input(axis(0)),
      input(axis(1)),
    );
    expect(largestDifference(gradient!, [-1, 0, 0])).toBeLessThan(1e-6);
  });

  it.each([
    ['sphere', Sphere],
    ['ball', PoincareBall],
    ['flat space', Euclidean],
  ] as const)('exp undoes log, transport keeps inner products: %s', async (name, manifold) => {
    const rng = Rng.fromSeed(19);
    const onSphere = name === 'sphere';
    const draw = () => (onSphere ? unitRows(rng, 8, 4) : rng.uniformArray([8, 4], -0.4, 0.4));
    const result = await evaluate(
      engine,
      (x, y, raw) => {
        const radial = tf.sum(tf.mul(raw, x), -1, true);
        const v = onSphere ? tf.sub(raw, tf.mul(radial, x)) : raw;
        const w = manifold.log(x, y);
        const squared = (at: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => {
          const lowered = tf.matMul(manifold.metric(at), tf.expandDims(b, 2));
          return tf.squeeze(tf.matMul(tf.expandDims(a, 1), lowered), [1, 2]);
        };
        return {
          back: tf.sub(manifold.exp(x, w), y),
          speed: tf.sub(tf.sqrt(squared(x, w, w)), manifold.dist(x, y)),
          length: tf.sub(
            squared(x, v, w),
            squared(y, manifold.transport(x, y, v), manifold.transport(x, y, w)),
          ),
          middle: tf.sub(
            manifold.dist(x, tf.squeeze(manifold.geodesic(x, y, [0.5]), [1])),
            tf.mul(manifold.dist(x, y), 0.5),
          ),
        };
      },
      input(draw()),
      input(draw()),
      input(rng.normalArray([8, 4], 0, 0.3)),
    );
    for (const [what, values] of Object.entries(result)) {
      expect(Math.max(...values.map(Math.abs)), what).toBeLessThan(2e-5);
    }
  });
});

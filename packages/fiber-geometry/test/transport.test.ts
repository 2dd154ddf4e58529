import { type NDArray, Rng, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  type ConnectionKind,
  curvature,
  FiberConnection,
  FiberTransporter,
  greatCirclePath,
  holonomy,
  type Integrator,
  normDrift,
  orthogonalityDefect,
  plainReferenceConnection,
  transportStepByStep,
} from '../src/index.js';
import { engineNames, evaluate, input, largestDifference, randomConnection, unitRows } from './helpers.js';

const kinds: ConnectionKind[] = ['reference', 'homogeneous', 'linear'];

describe.each(engineNames)('connections on %s', (engine) => {
  it.each(kinds)('%s is exactly antisymmetric', async (kind) => {
    const connection = randomConnection(kind, 8, 32, 50);
    const rng = Rng.fromSeed(4);
    const { defect } = await evaluate(
      engine,
      (x, v) => {
        const A = connection.forward(x, v);
        return { defect: tf.max(tf.abs(tf.add(A, tf.transpose(A, [0, 2, 1])))) };
      },
      input(rng.normalArray([7, 8])),
      input(rng.normalArray([7, 8])),
    );
    expect(defect).toEqual([0]);
  });

  it.each(['homogeneous', 'linear'] as const)(
    '%s vanishes at rest, is odd and homogeneous in v',
    async (kind) => {
      const connection = randomConnection(kind, 5, 6, 20);
      const rng = Rng.fromSeed(9);
      const result = await evaluate(
        engine,
        (x, v) => ({
          still: connection.forward(x, tf.zerosLike(v)),
          once: connection.forward(x, v),
          back: connection.forward(x, tf.neg(v)),
          thrice: connection.forward(x, tf.mul(v, 3)),
        }),
        input(rng.normalArray([6, 5])),
        input(rng.normalArray([6, 5])),
      );
      expect(Math.max(...result.still!.map(Math.abs))).toBe(0);
      expect(
        largestDifference(
          result.back!,
          result.once!.map((a) => -a),
        ),
      ).toBeLessThan(2e-6);
      expect(
        largestDifference(
          result.thrice!,
          result.once!.map((a) => 3 * a),
        ),
      ).toBeLessThan(1e-5);
    },
  );

  it('has finite gradients for a velocity of zero', async () => {
    const connection = randomConnection('homogeneous', 5, 6, 20);
    const x = input(Rng.fromSeed(1).normalArray([2, 5]));
    const v = input({ data: new Float32Array(10), shape: [2, 5], dtype: 'float32' });
    const result = await evaluate(
      engine,
      (p) => valueAndGradient((q) => tf.sum(tf.square(connection.forward(q.x, q.v))), p).gradients,
      { x, v },
    );
    for (const values of Object.values(result)) expect(values.every(Number.isFinite)).toBe(true);
  });
});

describe.each(engineNames)('fast transport on %s', (engine) => {
  it.each([
    [3, 1, 4, 3],
    [10, 1, 4, 1],
    [6, 5, 2, 2],
    [13, 3, 4, 12],
    [9, 70, 4, 16],
  ])(
    'equals the plain loop, gradients included: P = %i, B = %i, interval %i',
    async (points, batch, interval, pieces) => {
      const connection = randomConnection('reference', 5, 6, 30, points);
      const rng = Rng.fromSeed(points * batch);
      const given = {
        fiber: input(rng.normalArray([batch, 6])),
        path: input(rng.normalArray([batch, points, 5], 0, 0.5)),
        metric: connection.metric.parameters,
        conn: connection.parameters,
      };
      const last = (trace: tf.Tensor) => tf.squeeze(tf.slice(trace, [0, points - 1, 0], [-1, 1, -1]), [1]);
      const options = {
        integrator: 'rk4',
        normPolicy: 'interval',
        interval,
        subdivide: 1,
        maxRows: 3 * points * pieces,
      } as const;
      const result = await evaluate(
        engine,
        (p, cotangent) => {
          const run = (transport: (c: FiberConnection, q: typeof p) => tf.Tensor) =>
            valueAndGradient((q) => {
              const fiber = transport(connection.bind(q.conn, q.metric), q);
              return [tf.sum(tf.mul(fiber, cotangent)), fiber];
            }, p);
          const fast = run((c, q) => new FiberTransporter(c, options).transport(q.fiber, q.path));
          const plain = run((c, q) =>
            last(transportStepByStep(plainReferenceConnection(c), q.fiber, q.path, interval)),
          );
          const constants = new FiberTransporter(connection, options).transport(p.fiber, p.path);
          return {
            fast: { moved: fast.aux, ...fast.gradients },
            plain: { moved: plain.aux, ...plain.gradients },
            constants,
          };
        },
        given,
        input(rng.normalArray([batch, 6])),
      );
      expect(largestDifference(result.constants!, result['fast.moved']!)).toBeLessThan(1e-5);
      for (const [path, fast] of Object.entries(result)) {
        if (!path.startsWith('fast.')) continue;
        const plain = result[path.replace('fast.', 'plain.')]!;
        const size = Math.max(...plain.map(Math.abs));
        expect(largestDifference(fast, plain), path).toBeLessThan(2e-5 * Math.max(1, size));
      }
    },
  );

  it('does not change when weights are constants of the function instead of arguments', async () => {
    const connection = randomConnection('homogeneous', 5, 6, 30);
    const rng = Rng.fromSeed(21);
    const result = await evaluate(
      engine,
      (p, fiber, path) => ({
        bound: new FiberTransporter(connection.bind(p.conn, p.metric)).transport(fiber, path),
        constant: new FiberTransporter(connection).transport(fiber, path),
      }),
      { metric: connection.metric.parameters, conn: connection.parameters },
      input(rng.normalArray([3, 6])),
      input(rng.normalArray([3, 7, 5])),
    );
    expect(largestDifference(result.bound!, result.constant!)).toBeLessThan(2e-6);
  });
});

describe.each(engineNames)('improved transport on %s', (engine) => {
  it.each(['homogeneous', 'linear'] as const)('%s: constant path, round trip, length', async (kind) => {
    const connection = randomConnection(kind, 5, 8, kind === 'linear' ? 8 : 25);
    const rng = Rng.fromSeed(8);
    const fiber = rng.normalArray([4, 8]);
    const result = await evaluate(
      engine,
      (f, path) => {
        const transporter = new FiberTransporter(connection);
        const moved = transporter.transport(f, path);
        const still = tf.tile(tf.slice(path, [0, 0, 0], [-1, 1, -1]), [1, 6, 1]);
        return {
          constant: transporter.transport(f, still),
          roundTrip: transporter.transport(f, tf.concat([path, tf.reverse(path, [1])], 1)),
          drift: normDrift(f, moved),
          rotation: tf.max(transporter.rotation(path)),
          defect: orthogonalityDefect(transporter.transportMatrix(path)),
          byMatrix: tf.squeeze(tf.matMul(transporter.transportMatrix(path), tf.expandDims(f, 2)), [2]),
          moved,
        };
      },
      input(fiber),
      input(rng.normalArray([4, 6, 5], 0, 0.4)),
    );
    // Inside a graph segments are not subdivided; the promise there is for turns of at most 1 per segment.
    expect(result.rotation![0]).toBeLessThan(1);
    expect(largestDifference(result.constant!, fiber.data)).toBeLessThan(1e-6);
    expect(largestDifference(result.roundTrip!, fiber.data)).toBeLessThan(1e-5);
    expect(Math.max(...result.drift!)).toBeLessThan(1e-6);
    expect(Math.max(...result.defect!)).toBeLessThan(1e-5);
    expect(largestDifference(result.byMatrix!, result.moved!)).toBeLessThan(1e-5);
    expect(largestDifference(result.moved!, fiber.data)).toBeGreaterThan(0.05);
  });

  it.each([1, 30, 1000])('keeps length and angles for weights of any size: gain %d', async (gain) => {
    const connection = randomConnection('linear', 5, 6, gain);
    const rng = Rng.fromSeed(3);
    const result = await evaluate(
      'cpu',
      (f, path) => {
        const transporter = new FiberTransporter(connection);
        return {
          drift: normDrift(f, transporter.transport(f, path)),
          defect: orthogonalityDefect(transporter.transportMatrix(path)),
        };
      },
      input(rng.normalArray([2, 6])),
      input(rng.normalArray([2, 3, 5], 0, 0.5)),
    );
    expect(Math.max(...result.drift!)).toBeLessThan(1e-5);
    expect(Math.max(...result.defect!)).toBeLessThan(gain > 100 ? 1e-4 : 1e-5);
    const onEngine = await evaluate(
      engine,
      (f, path) => ({ drift: normDrift(f, new FiberTransporter(connection).transport(f, path)) }),
      input(rng.normalArray([2, 6])),
      input(rng.normalArray([2, 3, 5], 0, 0.5)),
    );
    expect(Math.max(...onEngine.drift!)).toBeLessThan(1e-5);
  });

  it.each([
    ['rk4', 4],
    ['polar', 4],
    ['magnus4', 4],
    ['cayley', 2],
  ] as [Integrator, number][])(
    '%s converges with order %i along a great circle',
    async (integrator, order) => {
      const connection = randomConnection('linear', 4, 5, 15);
      const rng = Rng.fromSeed(6);
      const result = await evaluate(
        engine,
        (f, src, dst) => {
          const along = (points: number, by: Integrator) => {
            const curve = greatCirclePath(src, dst, points);
            const transporter = new FiberTransporter(connection, {
              integrator: by,
              normPolicy: 'none',
              subdivide: 1,
            });
            return transporter.transport(f, curve.points, curve);
          };
          const limit = along(65, 'magnus4');
          const error = (points: number) => tf.max(tf.abs(tf.sub(along(points, integrator), limit)));
          return { coarse: error(3), fine: error(5) };
        },
        input(rng.normalArray([3, 5])),
        input(unitRows(rng, 3, 4)),
        input(unitRows(rng, 3, 4)),
      );
      const observed = Math.log2(result.coarse![0]! / result.fine![0]!);
      expect(observed).toBeGreaterThan(order - 0.8);
    },
  );

  it('splitting segments keeps the order on curves and changes nothing on its limit', async () => {
    const connection = randomConnection('linear', 4, 5, 40);
    const rng = Rng.fromSeed(6);
    const result = await evaluate(
      engine,
      (f, src, dst) => {
        const along = (points: number, subdivide: number) => {
          const curve = greatCirclePath(src, dst, points);
          return new FiberTransporter(connection, { subdivide }).transport(f, curve.points, curve);
        };
        const limit = along(65, 1);
        const error = (x: tf.Tensor) => tf.max(tf.abs(tf.sub(x, limit)));
        return { whole: error(along(4, 1)), split: error(along(4, 4)) };
      },
      input(rng.normalArray([3, 5])),
      input(unitRows(rng, 3, 4)),
      input(unitRows(rng, 3, 4)),
    );
    expect(result.split![0]).toBeLessThan(1e-3);
    expect(result.split![0]).toBeLessThan(result.whole![0]! / 4);
  });
});

describe.each(engineNames)('curvature and holonomy on %s', (engine) => {
  it('small loops turn by minus the area times the curvature', async () => {
    const connection = randomConnection('linear', 5, 6, 60);
    const rng = Rng.fromSeed(12);
    const draw = () => input(rng.normalArray([1, 5], 0, 0.7));
    const args = [draw(), draw(), draw()] as const;
    const deviation = async (epsilon: number) => {
      const { turned, predicted } = await evaluate(
        engine,
        (x, u, v) => {
          const [eu, ev] = [tf.mul(u, epsilon), tf.mul(v, epsilon)];
          const corners = [x, tf.add(x, eu), tf.add(tf.add(x, eu), ev), tf.add(x, ev), x];
          const loop = tf.stack(corners, 1);
          return {
            turned: tf.sub(holonomy(connection, loop), tf.eye(6)),
            predicted: tf.mul(curvature(connection, x, u, v), -epsilon * epsilon),
          };
        },
        ...args,
      );
      const size = Math.max(...predicted!.map(Math.abs));
      return largestDifference(turned!, predicted!) / size;
    };
    const [wide, narrow] = [await deviation(0.2), await deviation(0.05)];
    expect(narrow).toBeLessThan(0.12);
    expect(narrow).toBeLessThan(wide / 2);
  });

  it('refuses a connection that is not linear', async () => {
    const connection = randomConnection('reference', 5, 6);
    const x = input(Rng.fromSeed(1).normalArray([1, 5]));
    await expect(evaluate(engine, (p) => curvature(connection, p, p, p), x)).rejects.toThrow(
      /linear in the velocity/,
    );
  });
});

describe('transport input', () => {
  it('says what is wrong', async () => {
    const connection = randomConnection('linear', 5, 6);
    const rng = Rng.fromSeed(1);
    const run = (fiber: NDArray<'float32'>, path: NDArray<'float32'>) =>
      evaluate('cpu', (f, p) => new FiberTransporter(connection).transport(f, p), input(fiber), input(path));
    await expect(run(rng.normalArray([2, 6]), rng.normalArray([2, 4, 3]))).rejects.toThrow(
      /\[batch, points, 5\]/,
    );
    await expect(run(rng.normalArray([3, 6]), rng.normalArray([2, 4, 5]))).rejects.toThrow(/\[2, F\]/);
    expect(() => new FiberTransporter(connection, { interval: 0 })).toThrow(/interval/);
    expect(() => new FiberTransporter(connection, { subdivide: 1.5 })).toThrow(/subdivide/);
    const single = rng.normalArray([2, 6]);
    const same = await run(single, rng.normalArray([2, 1, 5]));
    expect(same['']).toEqual(Array.from(single.data));
    expect(() => new FiberConnection(5, 6, connection.metric)).toThrow(/rng/);
  });

  it('names NaN in a path', async () => {
    const connection = randomConnection('linear', 5, 6);
    const path = Rng.fromSeed(1).normalArray([1, 3, 5]);
    path.data[4] = Number.NaN;
    const run = evaluate(
      'cpu',
      (f, p) => new FiberTransporter(connection).transport(f, p),
      input(Rng.fromSeed(2).normalArray([1, 6])),
      input(path),
    );
    await expect(run).rejects.toThrow(/NaN/);
  });
});

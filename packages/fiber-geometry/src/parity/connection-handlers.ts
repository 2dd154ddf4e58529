import { tf } from '@palimpsest/tensor-core';
import { type ConnectionFn, FiberConnection } from '../connection.js';
import { sampleConnection } from '../connection-samples.js';
import { curvature, holonomy, orthogonalityDefect } from '../curvature.js';
import { type GreatCirclePath, greatCirclePath } from '../great-circle.js';
import type { Integrator } from '../integrators.js';
import { RiemannianMetric } from '../metric.js';
import { FiberTransporter } from '../transporter.js';
import { engineOf, type ParityContext, type ParityHandler } from './contract.js';
import { GoldenCase, runOnce } from './golden-case.js';

const system = 'fiber-geometry';
const INTEGRATORS: readonly Integrator[] = ['rk4', 'magnus4', 'polar', 'cayley'];

function connectionOf(golden: GoldenCase, kind: 'homogeneous' | 'linear'): FiberConnection {
  const d = golden.number('dBase');
  const metric = new RiemannianMetric(d, { parameters: golden.metricParameters('weights/metric.') });
  return new FiberConnection(d, golden.number('dFiber'), metric, {
    kind,
    ...(kind === 'linear' ? { rank: golden.number('rank') } : {}),
    parameters: golden.connectionParameters('weights/'),
  });
}

const plain = (connection: FiberConnection | ConnectionFn, integrator: Integrator) =>
  new FiberTransporter(connection, { integrator, normPolicy: 'none', subdivide: 1 });

const orthogonalHandler: ParityHandler = {
  system,
  kind: 'orthogonal-transport',
  async run(testCase, context) {
    const golden = new GoldenCase(testCase);
    const connection = connectionOf(golden, 'homogeneous');
    const results = await runOnce(
      engineOf(context),
      (parameters, path, fiber) => {
        const bound = connection.bind(parameters.conn, parameters.metric);
        const samples = sampleConnection(bound, path);
        const integrators = Object.fromEntries(
          INTEGRATORS.map((integrator) => {
            const transporter = plain(bound, integrator);
            const stepMatrices = transporter.stepMatrices(path);
            const out = {
              stepMatrices,
              transportMatrix: transporter.transportMatrix(path),
              fiber: transporter.transport(fiber, path),
            };
            return [integrator, { ...out, orthogonality: orthogonalityDefect(stepMatrices) }];
          }),
        );
        const improved = new FiberTransporter(bound);
        const start = tf.slice(path, [0, 0, 0], [-1, 1, -1]);
        const constant = tf.tile(start, [1, path.shape[1]!, 1]);
        const roundTrip = tf.concat([path, tf.reverse(path, [1])], 1);
        return {
          homogeneous: { A: tf.transpose(tf.stack([...samples], 0), [2, 1, 0, 3, 4]) },
          ...integrators,
          constantPath: { fiber: improved.transport(fiber, constant) },
          roundTrip: { fiber: improved.transport(fiber, roundTrip) },
        };
      },
      { conn: connection.parameters, metric: connection.metric.parameters },
      golden.input('in/path'),
      golden.input('in/fiber'),
    );
    for (const [path, values] of results) {
      const name = `out/${path.replaceAll('.', '/')}`;
      if (golden.has(name)) golden.compare(name, values);
    }
    compareOrthogonality(golden, results);
    await compareLimits(golden, context, connection);
    return golden.outputs;
  },
};

function compareOrthogonality(golden: GoldenCase, results: ReadonlyMap<string, ArrayLike<number>>): void {
  const zeros = (values: ArrayLike<number>) => new Float32Array(values.length);
  for (const integrator of ['magnus4', 'polar', 'cayley']) {
    const defect = results.get(`${integrator}.orthogonality`)!;
    const atol = golden.expected<number>('orthogonalityFloat32') ?? 1e-5;
    golden.close(`${integrator} orthogonality`, defect, zeros(defect), { atol, rtol: 0 });
  }
  const fiber = golden.array('in/fiber').data;
  for (const [name, atol] of [
    ['constantPath', golden.expected<number>('constantPathFloat32') ?? 1e-6],
    ['roundTrip', golden.expected<number>('roundTripFloat32') ?? 1e-5],
  ] as const) {
    golden.close(`${name} returns the fiber`, results.get(`${name}.fiber`)!, fiber, { atol, rtol: 0 });
  }
}

/** Segments that stand for the limit of the exact transport: fourth order, so the error is far below a tolerance. */
const LIMIT_SEGMENTS = 32;

async function compareLimits(
  golden: GoldenCase,
  context: ParityContext,
  connection: FiberConnection,
): Promise<void> {
  const results = await runOnce(
    engineOf(context),
    (parameters, path, fiber, src, dst) => {
      const bound = connection.bind(parameters.conn, parameters.metric);
      const along = (points: number) => {
        const curve = greatCirclePath(src, dst, points);
        return plain(bound, 'magnus4').transport(fiber, curve.points, curve);
      };
      const curve = sineCurve(path, LIMIT_SEGMENTS + 1);
      const tangents = golden.namesUnder('out/tangent/P').map((name) => Number.parseInt(name, 10));
      return {
        limit: { fiber: plain(bound, 'magnus4').transport(fiber, curve.points, curve) },
        tangent: {
          ...Object.fromEntries(tangents.map((points) => [`P${points}`, { fiber: along(points) }])),
          limit: along(LIMIT_SEGMENTS + 1),
        },
      };
    },
    { conn: connection.parameters, metric: connection.metric.parameters },
    golden.input('in/path'),
    golden.input('in/fiber'),
    golden.input('in/sphereSrc'),
    golden.input('in/sphereDst'),
  );
  for (const [path, values] of results) golden.compare(`out/${path.replaceAll('.', '/')}`, values);
}

/**
 * The smooth curve x(t) = x₀ + t(x₁ − x₀) + w·sin πt that the golden cases sample: w follows from any inner point. Its
 * points are exact samples of it, so the limit of the transport is that of this curve and not of the polyline.
 */
function sineCurve(path: tf.Tensor, count: number): GreatCirclePath {
  const last = path.shape[1]! - 1;
  const pick = (index: number) => tf.slice(path, [0, index, 0], [-1, 1, -1]);
  const [start, end] = [pick(0), pick(last)];
  const inner = Math.floor(last / 2);
  const sine = Math.sin((Math.PI * inner) / last);
  const line = tf.add(tf.mul(start, 1 - inner / last), tf.mul(end, inner / last));
  const bend = sine === 0 ? tf.zerosLike(start) : tf.div(tf.sub(pick(inner), line), sine);
  const column = (places: readonly number[], value: (t: number) => number) =>
    tf.tensor3d(Float32Array.from(places, value), [1, places.length, 1]);
  const position = (places: readonly number[]) => {
    const straight = tf.add(
      tf.mul(
        column(places, (t) => 1 - t),
        start,
      ),
      tf.mul(
        column(places, (t) => t),
        end,
      ),
    );
    return tf.add(
      straight,
      tf.mul(
        column(places, (t) => Math.sin(Math.PI * t)),
        bend,
      ),
    );
  };
  const velocity = (places: readonly number[]) =>
    tf.add(
      tf.sub(end, start),
      tf.mul(
        column(places, (t) => Math.PI * Math.cos(Math.PI * t)),
        bend,
      ),
    );
  const points = Array.from({ length: count }, (_, k) => k / (count - 1));
  const between = points.slice(1).map((t) => t - 0.5 / (count - 1));
  return {
    points: position(points),
    midpoints: position(between),
    tangents: velocity(points),
    midpointTangents: velocity(between),
  };
}

/** A = cos θ dφ J on the round sphere in coordinates (θ, φ). */
export const sphereLatitudeConnection: ConnectionFn = (x, v) => {
  const turn = tf.mul(tf.cos(tf.slice(x, [0, 0], [-1, 1])), tf.slice(v, [0, 1], [-1, 1]));
  return tf.mul(tf.expandDims(turn, 2), tf.tensor3d([0, -1, 1, 0], [1, 2, 2]));
};

const LATITUDE_EDGES = 16;

const linearHandler: ParityHandler = {
  system,
  kind: 'linear-connection',
  async run(testCase, context) {
    const golden = new GoldenCase(testCase);
    const connection = connectionOf(golden, 'linear');
    const results = await runOnce(
      engineOf(context),
      (parameters, x, u, v, loop, colatitude) => {
        const bound = connection.bind(parameters.conn, parameters.metric);
        return {
          coefficients: bound.coefficients(x),
          A_u: bound.forward(x, u),
          curvature_uv: curvature(bound, x, u, v),
          holonomy: holonomy(bound, loop, 'magnus4'),
          latitude: holonomy(sphereLatitudeConnection, latitudeLoops(colatitude), 'magnus4'),
        };
      },
      { conn: connection.parameters, metric: connection.metric.parameters },
      golden.input('in/x'),
      golden.input('in/u'),
      golden.input('in/v'),
      golden.input('in/loop'),
      golden.input('in/latitudeLoop/colatitude'),
    );
    for (const name of ['coefficients', 'A_u', 'curvature_uv', 'holonomy']) {
      golden.compare(`out/${name}`, results.get(name)!);
    }
    const matrices = results.get('latitude')!;
    const angles = Array.from({ length: matrices.length / 4 }, (_, row) =>
      Math.atan2(matrices[4 * row + 2]!, matrices[4 * row]!),
    );
    golden.compare('out/latitudeLoop/angle', angles);
    return golden.outputs;
  },
};

/** Circles of latitude `[B, edges + 1, 2]` in coordinates (θ, φ). */
export function latitudeLoops(colatitude: tf.Tensor): tf.Tensor {
  const count = LATITUDE_EDGES + 1;
  const phi = tf.tensor2d(
    Float32Array.from({ length: count }, (_, k) => (2 * Math.PI * k) / LATITUDE_EDGES),
    [1, count],
  );
  const zeros = tf.mul(tf.expandDims(colatitude, 1), tf.zerosLike(phi));
  return tf.stack([tf.add(zeros, tf.expandDims(colatitude, 1)), tf.add(zeros, phi)], 2);
}

export const connectionHandlers: readonly ParityHandler[] = [orthogonalHandler, linearHandler];

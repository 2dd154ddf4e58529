import type { GoldenContext, GoldenHandler } from '@palimpsest/base/golden';
import { tf } from '@palimpsest/tensor-core';
import { type ConnectionFn, FiberConnection } from '../connection.js';
import { sampleConnection } from '../connection-samples.js';
import { curvature, holonomy, orthogonalityDefect } from '../curvature.js';
import { type GreatCirclePath, greatCirclePath } from '../great-circle.js';
import type { Integrator } from '../integrators.js';
import { RiemannianMetric } from '../metric.js';
import { FiberTransporter } from '../transporter.js';
import { engineOf, GeometryCase, runOnce } from './geometry-case.js';

const system = 'fiber-geometry';
const INTEGRATORS: readonly Integrator[] = ['rk4', 'magnus4', 'polar', 'cayley'];

function connectionOf(golden: GeometryCase, kind: 'homogeneous' | 'linear'): FiberConnection {
  const d = golden.number('dBase');
  const metric = new RiemannianMetric(d, { parameters: golden.metricParameters('weights/metric.') });
  return new FiberConnection(d, golden.number('dFiber'), metric, {
    kind,
    rank: kind === 'linear' ? golden.number('rank') : undefined,
    parameters: golden.connectionParameters('weights/'),
  });
}

const plain = (connection: FiberConnection | ConnectionFn, integrator: Integrator) =>
  new FiberTransporter(connection, { integrator, normPolicy: 'none', subdivide: 1 });

const orthogonalHandler: GoldenHandler = {
  system,
  kind: 'orthogonal-transport',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
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
    for (const [path, values] of results) golden.output(`out/${path.replaceAll('.', '/')}`, values);
    giveDefects(golden, results);
    await giveLimits(golden, context, connection);
    return golden.outputs;
  },
};

/** Largest departures from orthogonality and from the fiber that must come back. */
function giveDefects(golden: GeometryCase, results: ReadonlyMap<string, ArrayLike<number>>): void {
  const fiber = golden.array('in/fiber').data;
  const distance = (name: string) => () =>
    fiber.reduce((most, value, i) => Math.max(most, Math.abs(results.get(`${name}.fiber`)![i]! - value)), 0);
  const orthogonality = () =>
    Math.max(
      ...['magnus4', 'polar', 'cayley'].flatMap((name) => [
        ...Array.from(results.get(`${name}.orthogonality`)!),
      ]),
    );
  golden.output('expected/orthogonalityFloat32', orthogonality);
  golden.output('expected/constantPathFloat32', distance('constantPath'));
  golden.output('expected/roundTripFloat32', distance('roundTrip'));
}

/** Segments that stand for the limit of the exact transport: fourth order, so the error is far below a tolerance. */
const LIMIT_SEGMENTS = 32;

/** The limit along the sampled curve, and transport along great circles; each only where the case has its inputs. */
async function giveLimits(
  golden: GeometryCase,
  context: GoldenContext,
  connection: FiberConnection,
): Promise<void> {
  const parameters = { conn: connection.parameters, metric: connection.metric.parameters };
  type Given = typeof parameters;
  const bind = ({ conn, metric }: Given) => plain(connection.bind(conn, metric), 'magnus4');
  if (golden.has('out/limit/fiber')) {
    const limit = await runOnce(
      engineOf(context),
      (given: Given, path: tf.Tensor, fiber: tf.Tensor) => {
        const curve = sineCurve(path, LIMIT_SEGMENTS + 1);
        return { fiber: bind(given).transport(fiber, curve.points, curve) };
      },
      parameters,
      golden.input('in/path'),
      golden.input('in/fiber'),
    );
    golden.output('out/limit/fiber', limit.get('fiber')!);
  }
  const tangents = golden.namesUnder('out/tangent/');
  if (tangents.length === 0) return;
  const pointsOf = (name: string) => Number(/^P(\d+)/.exec(name)?.[1] ?? LIMIT_SEGMENTS + 1);
  const along = await runOnce(
    engineOf(context),
    (given: Given, fiber: tf.Tensor, src: tf.Tensor, dst: tf.Tensor) =>
      Object.fromEntries(
        tangents.map((name) => {
          const curve = greatCirclePath(src, dst, pointsOf(name));
          return [name, bind(given).transport(fiber, curve.points, curve)];
        }),
      ),
    parameters,
    golden.input('in/fiber'),
    golden.input('in/sphereSrc'),
    golden.input('in/sphereDst'),
  );
  for (const [name, values] of along) golden.output(`out/tangent/${name}`, values);
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

const linearHandler: GoldenHandler = {
  system,
  kind: 'linear-connection',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
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
      golden.output(`out/${name}`, results.get(name)!);
    }
    const matrices = results.get('latitude')!;
    const angles = Array.from({ length: matrices.length / 4 }, (_, row) =>
      Math.atan2(matrices[4 * row + 2]!, matrices[4 * row]!),
    );
    golden.output('out/latitudeLoop/angle', angles);
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

export const connectionHandlers: readonly GoldenHandler[] = [orthogonalHandler, linearHandler];

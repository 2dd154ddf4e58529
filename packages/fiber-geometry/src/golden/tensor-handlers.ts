import type { GoldenHandler } from '@palimpsest/base/golden';
import { tf, valueAndGradient } from '@palimpsest/tensor-core';
import { FiberConnection } from '../connection.js';
import { greatCirclePath } from '../great-circle.js';
import { RiemannianMetric } from '../metric.js';
import { plainReferenceConnection, transportStepByStep } from '../transport-plain.js';
import { FiberTransporter } from '../transporter.js';
import { contract, engineOf, GeometryCase, runOnce } from './geometry-case.js';

const system = 'fiber-geometry';

/** Gives the gradients under their golden names. */
export function giveGradients(
  golden: GeometryCase,
  results: ReadonlyMap<string, ArrayLike<number>>,
  names: ReadonlyMap<string, string>,
): void {
  const absent = new Set(golden.source.member('gradAbsent', [] as string[]));
  for (const [path, name] of names) {
    const gradient = results.get(`gradients.${path}`);
    if (gradient) golden.outputs[`grad/${name}`] = absent.has(name) ? gradient : () => gradient;
  }
}

/** `metric.net.0.weight` and so on, with golden names that carry `prefix` before them. */
export function netNames(path: string, prefix: string): [string, string][] {
  return [0, 2, 4].flatMap((layer) =>
    ['weight', 'bias'].map((part): [string, string] => [
      `${path}.net.${layer}.${part}`,
      `${prefix}net.${layer}.${part}`,
    ]),
  );
}

const metricHandler: GoldenHandler = {
  system,
  kind: 'metric',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    const metric = new RiemannianMetric(golden.number('dBase'), {
      hiddenMult: golden.number('hiddenMult'),
      parameters: golden.metricParameters('weights/'),
    });
    const inputs = { x: golden.input('in/x'), metric: metric.parameters };
    const results = await runOnce(
      engineOf(context),
      (parameters, y, cotangent) => {
        const { gradients, aux } = valueAndGradient((p) => {
          const bound = metric.bind(p.metric);
          const g = bound.forward(p.x);
          const out = { raw: bound.raw(p.x), g, midpointDistance: bound.midpointDistance(p.x, y) };
          return [contract(g, cotangent), out];
        }, parameters);
        return { out: aux, gradients };
      },
      inputs,
      golden.input('in/y'),
      golden.input('in/cotangent'),
    );
    for (const name of ['raw', 'g', 'midpointDistance'])
      golden.output(`out/${name}`, results.get(`out.${name}`)!);
    giveGradients(golden, results, new Map([['x', 'x'], ...netNames('metric', '')]));
    return golden.outputs;
  },
};

const connectionHandler: GoldenHandler = {
  system,
  kind: 'connection',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    const d = golden.number('dBase');
    const metric = new RiemannianMetric(d, { parameters: golden.metricParameters('weights/metric.') });
    const connection = new FiberConnection(d, golden.number('dFiber'), metric, {
      kind: 'reference',
      gradCoupling: golden.source.config.gradCoupling !== false,
      parameters: golden.connectionParameters('weights/'),
    });
    const inputs = {
      x: golden.input('in/x'),
      v: golden.input('in/v'),
      metric: metric.parameters,
      conn: connection.parameters,
    };
    const results = await runOnce(
      engineOf(context),
      (parameters, cotangent) => {
        const { gradients, aux } = valueAndGradient((p) => {
          const bound = connection.bind(p.conn, p.metric);
          const A = bound.forward(p.x, p.v);
          const out = {
            A,
            A_zeroVelocity: bound.forward(p.x, tf.zerosLike(p.v)),
            A_negVelocity: bound.forward(p.x, tf.neg(p.v)),
          };
          return [contract(A, cotangent), out];
        }, parameters);
        return { out: aux, gradients };
      },
      inputs,
      golden.input('in/cotangent'),
    );
    for (const name of ['A', 'A_zeroVelocity', 'A_negVelocity']) {
      golden.output(`out/${name}`, results.get(`out.${name}`)!);
    }
    const names = new Map([
      ['x', 'x'],
      ['v', 'v'],
      ...netNames('metric', 'metric.'),
      ...netNames('conn', ''),
    ]);
    giveGradients(golden, results, names);
    return golden.outputs;
  },
};

const transportHandler: GoldenHandler = {
  system,
  kind: 'transport',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    const d = golden.number('dBase');
    const interval = golden.number('normCorrectionInterval');
    const metric = new RiemannianMetric(d, { parameters: golden.metricParameters('weights/conn.metric.') });
    const connection = new FiberConnection(d, golden.number('dFiber'), metric, {
      kind: 'reference',
      parameters: golden.connectionParameters('weights/conn.'),
    });
    const inputs = {
      fiber: golden.input('in/fiber'),
      path: golden.input('in/path'),
      metric: metric.parameters,
      conn: connection.parameters,
    };
    const results = await runOnce(
      engineOf(context),
      (parameters, cotangent) => {
        const { gradients, aux } = valueAndGradient((p) => {
          const bound = connection.bind(p.conn, p.metric);
          const transporter = parityTransporter(bound, interval);
          const fiber = transporter.transport(p.fiber, p.path);
          return [contract(fiber, cotangent), { fiber }];
        }, parameters);
        const plain = plainReferenceConnection(connection.bind(parameters.conn, parameters.metric));
        const trace = transportStepByStep(plain, parameters.fiber, parameters.path, interval);
        return { out: { ...aux, trace }, gradients };
      },
      inputs,
      golden.input('in/cotangent'),
    );
    golden.output('out/fiber', results.get('out.fiber')!);
    golden.output('out/trace', results.get('out.trace')!);
    const names = new Map([
      ['fiber', 'fiber'],
      ['path', 'path'],
      ...netNames('metric', 'conn.metric.'),
      ...netNames('conn', 'conn.'),
    ]);
    giveGradients(golden, results, names);
    return golden.outputs;
  },
};

/** The original's transport: Runge–Kutta with the length restored every `interval` segments. */
export function parityTransporter(connection: FiberConnection, interval: number): FiberTransporter {
  return new FiberTransporter(connection, {
    integrator: 'rk4',
    normPolicy: 'interval',
    interval,
    subdivide: 1,
  });
}

const greatCircleHandler: GoldenHandler = {
  system,
  kind: 'great-circle',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    const points = golden.number('nPoints');
    const results = await runOnce(
      engineOf(context),
      (src, dst) => {
        const robust = greatCirclePath(src, dst, points, { kind: 'robust' });
        return {
          path: greatCirclePath(src, dst, points, { kind: 'clamped' }).points,
          improvedPath: robust.points,
          improvedTangent: robust.tangents,
        };
      },
      golden.input('in/src'),
      golden.input('in/dst'),
    );
    for (const [name, values] of results) golden.output(`out/${name}`, values);
    return golden.outputs;
  },
};

export const tensorHandlers: readonly GoldenHandler[] = [
  metricHandler,
  connectionHandler,
  transportHandler,
  greatCircleHandler,
];

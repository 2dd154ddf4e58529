import type { GoldenCase, GoldenContext, GoldenHandler } from '@palimpsest/base/golden';
import { InputError, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { Bundle, type BundleOptions, type BundleParameters, type Encoded } from '../bundle.js';
import { greatCirclePath } from '../great-circle.js';
import { contract, engineOf, GeometryCase, runOnce } from './geometry-case.js';
import { giveGradients, netNames } from './tensor-handlers.js';

const system = 'fiber-geometry';

/** A bundle as the golden cases need it: geometry without an encoder. */
class GeometryBundle extends Bundle {
  encode(): Encoded {
    throw new InputError('This bundle has no encoder; it only transports.');
  }
}

function optionsOf(
  golden: GeometryCase,
  name: 'topic' | 'time',
): BundleOptions & { parameters: BundleParameters } {
  return {
    name,
    mode: 'parity',
    dBase: golden.number('dBase'),
    dFiber: golden.number('dFiber'),
    nGeoPts: golden.number('nGeoPts'),
    geoMaxSteps: golden.number('geoMaxSteps'),
    geoTol: golden.number('geoTol'),
    geoLr: golden.number('geoLr'),
    normCorrectionInterval: golden.number('normCorrectionInterval'),
    parameters: {
      _axis_raw: golden.array('weights/_axis_raw'),
      metric: golden.metricParameters('weights/metric.'),
      conn: golden.connectionParameters('weights/conn.'),
    },
  };
}

async function runBundle(
  testCase: GoldenCase,
  context: GoldenContext,
  name: 'topic' | 'time',
): Promise<GeometryCase> {
  const golden = new GeometryCase(testCase);
  const options = optionsOf(golden, name);
  const bundle = new GeometryBundle(options);
  const solved = bundle.solver?.solve(golden.array('in/baseSrc'), golden.array('in/baseDst')).path;
  const inputs = {
    baseSrc: golden.input('in/baseSrc'),
    baseDst: golden.input('in/baseDst'),
    fiber: golden.input('in/fiber'),
    parameters: options.parameters,
  };
  const results = await runOnce(
    engineOf(context),
    (given, cotangent, axisCotangent) => {
      const { gradients, aux } = valueAndGradient((p) => {
        const bound = bundle.bind(p.parameters);
        const fiber = bound.transport(p.fiber, p.baseSrc, p.baseDst, solved);
        const canonicalAxis = bound.canonicalAxis();
        const path = bound.solver
          ? bound.solver.withEnds(p.baseSrc, p.baseDst, solved!)
          : greatCirclePath(p.baseSrc, p.baseDst, golden.number('nGeoPts') + 2, { kind: 'clamped' }).points;
        const value = tf.add(contract(fiber, cotangent), contract(canonicalAxis, axisCotangent));
        return [value, { fiber, canonicalAxis, path }];
      }, given);
      return { out: aux, gradients };
    },
    inputs,
    golden.input('in/cotangent'),
    golden.input('in/axisCotangent'),
  );
  for (const output of ['path', 'fiber', 'canonicalAxis']) {
    golden.output(`out/${output}`, results.get(`out.${output}`)!);
  }
  const names = new Map([
    ['baseSrc', 'baseSrc'],
    ['baseDst', 'baseDst'],
    ['fiber', 'fiber'],
    ['parameters._axis_raw', '_axis_raw'],
    ...netNames('parameters.metric', 'metric.'),
    ...netNames('parameters.conn', 'conn.'),
  ]);
  giveGradients(golden, results, names);
  return golden;
}

const handler = (kind: string, name: 'topic' | 'time'): GoldenHandler => ({
  system,
  kind,
  run: async (testCase, context) => (await runBundle(testCase, context, name)).outputs,
});

export const bundleHandlers: readonly GoldenHandler[] = [
  handler('bundle-topic', 'topic'),
  handler('bundle-geodesic', 'time'),
];

import type { GoldenHandler } from '@palimpsest/base/golden';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import { PathEnergy } from '../geodesic-energy.js';
import { GeodesicSolver } from '../geodesic-solver.js';
import { RiemannianMetric } from '../metric.js';
import { linearPath } from '../path.js';
import { engineOf, GeometryCase, runOnce } from './geometry-case.js';

const system = 'fiber-geometry';

function metricOf(golden: GeometryCase): RiemannianMetric {
  return new RiemannianMetric(golden.number('dBase'), { parameters: golden.metricParameters('weights/') });
}

function adamSolver(golden: GeometryCase, changes: { maxSteps?: number; tol?: number } = {}): GeodesicSolver {
  return new GeodesicSolver(metricOf(golden), {
    method: 'adam',
    nGeoPts: golden.number('nGeoPts'),
    maxSteps: golden.number('geoMaxSteps'),
    tol: golden.number('geoTol'),
    lr: golden.number('geoLr'),
    ...changes,
  });
}

/** A tolerance that no relative change is below, so that Adam runs all its steps. No denormal: engines may flush them. */
const NEVER = 1e-300;

function energies(golden: GeometryCase, path: NDArray<'float32'>): Float64Array {
  const [items, points, d] = path.shape as [number, number, number];
  const model = new PathEnergy(metricOf(golden).field(), { items, points, d });
  model.evaluate(Float64Array.from(path.data));
  return model.energy;
}

const adamHandler: GoldenHandler = {
  system,
  kind: 'geodesic-adam',
  // The energy that a solve reports is one of its history.
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    const [xs, xe] = [golden.array('in/xs'), golden.array('in/xe')];
    const solved = adamSolver(golden).solve(xs, xe);
    golden.output('out/path', solved.path.data);
    golden.output('out/trueEnergyOfPath', solved.energyPerItem);
    golden.output('expected/iterations', solved.iterations);
    golden.output('expected/converged', solved.converged);
    golden.output('expected/reportedEnergy', solved.energy);
    golden.output('out/energyHistory', () => {
      const maxSteps = testCase.shape('out/energyHistory')[0]!;
      return adamSolver(golden, { maxSteps, tol: NEVER }).solve(xs, xe).energyHistory;
    });
    for (const name of golden.namesUnder('out/pathAfter')) {
      const partial = adamSolver(golden, { maxSteps: Number(name), tol: NEVER }).solve(xs, xe);
      golden.output(`out/pathAfter${name}`, partial.path.data);
    }
    const interior = golden.number('nGeoPts');
    const straight = await runOnce(
      engineOf(context),
      (start, end) => ({ path: linearPath(start, end, interior) }),
      golden.input('in/xs'),
      golden.input('in/xe'),
    );
    const path = Float32Array.from(straight.get('path')!);
    golden.output('out/linearPath', path);
    golden.output('out/trueEnergyOfLinear', () => energies(golden, ndarray(path, solved.path.shape)));
    return golden.outputs;
  },
};

const edgeHandler: GoldenHandler = {
  system,
  kind: 'geodesic-edge',
  run(testCase) {
    const golden = new GeometryCase(testCase);
    const [xs, huge] = [golden.array('in/xs'), golden.array('in/xsHuge')];
    const shifted = (array: NDArray<'float32'>, change: (value: number) => number) => ({
      ...array,
      data: array.data.map(change),
    });
    const solves = {
      same: adamSolver(golden).solve(xs, xs),
      zeroSteps: adamSolver(golden, { maxSteps: 0 }).solve(
        xs,
        shifted(xs, (value) => value + 1),
      ),
      nonFinite: adamSolver(golden).solve(
        huge,
        shifted(huge, (value) => -value),
      ),
    };
    for (const [name, solved] of Object.entries(solves)) {
      const { energy, converged, iterations } = solved;
      golden.output(`out/${name}Path`, solved.path.data);
      golden.output(`expected/${name}`, { energy, converged, iterations });
    }
    return golden.outputs;
  },
};

const h1Handler: GoldenHandler = {
  system,
  kind: 'geodesic-h1',
  // What other solvers need and reach is told for information.
  given: ['out/adam80Energy', 'expected'],
  run(testCase) {
    const golden = new GeometryCase(testCase);
    const solver = new GeodesicSolver(metricOf(golden), {
      nGeoPts: golden.number('nGeoPts'),
      history: golden.number('history'),
    });
    const [xs, xe] = [golden.array('in/xs'), golden.array('in/xe')];
    const solved = solver.solve(xs, xe);
    golden.output('out/minimalEnergy', solved.energyPerItem);
    golden.output('out/minimalPath', solved.path.data);
    const straight = new GeodesicSolver(metricOf(golden), {
      method: 'straight',
      nGeoPts: golden.number('nGeoPts'),
    }).solve(xs, xe);
    golden.output('out/linearEnergy', straight.energyPerItem);
    return golden.outputs;
  },
};

export const geodesicHandlers: readonly GoldenHandler[] = [adamHandler, edgeHandler, h1Handler];

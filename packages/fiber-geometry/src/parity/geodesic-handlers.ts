import type { NDArray } from '@palimpsest/tensor-core';
import { PathEnergy } from '../geodesic-energy.js';
import { GeodesicSolver } from '../geodesic-solver.js';
import { RiemannianMetric } from '../metric.js';
import { linearPath } from '../path.js';
import { engineOf, type ParityHandler } from './contract.js';
import { GoldenCase, runOnce } from './golden-case.js';

const system = 'fiber-geometry';

function metricOf(golden: GoldenCase): RiemannianMetric {
  return new RiemannianMetric(golden.number('dBase'), { parameters: golden.metricParameters('weights/') });
}

function adamSolver(golden: GoldenCase, changes: { maxSteps?: number; tol?: number } = {}): GeodesicSolver {
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

function energies(golden: GoldenCase, path: NDArray<'float32'>): Float64Array {
  const [items, points, d] = path.shape as [number, number, number];
  const model = new PathEnergy(metricOf(golden).field(), { items, points, d });
  model.evaluate(Float64Array.from(path.data));
  return model.energy;
}

const adamHandler: ParityHandler = {
  system,
  kind: 'geodesic-adam',
  async run(testCase, context) {
    const golden = new GoldenCase(testCase);
    const [xs, xe] = [golden.array('in/xs'), golden.array('in/xe')];
    const solved = adamSolver(golden).solve(xs, xe);
    golden.compare('out/path', solved.path.data);
    golden.compare('out/trueEnergyOfPath', solved.energyPerItem);
    golden.equal('iterations', [solved.iterations], [golden.expected<number>('iterations')!]);
    golden.equal('converged', String(solved.converged), String(golden.expected<boolean>('converged')));
    const reported = golden.expected<number>('reportedEnergy')!;
    golden.close('reportedEnergy', [solved.energy], [reported], golden.tolerance('out/energyHistory'));

    const steps = golden.array('out/energyHistory').data.length;
    const untested = adamSolver(golden, { maxSteps: steps, tol: NEVER }).solve(xs, xe);
    golden.compare('out/energyHistory', untested.energyHistory);
    for (const name of golden.namesUnder('out/pathAfter')) {
      const partial = adamSolver(golden, { maxSteps: Number(name), tol: NEVER }).solve(xs, xe);
      golden.compare(`out/pathAfter${name}`, partial.path.data);
    }
    const interior = golden.number('nGeoPts');
    const straight = await runOnce(
      engineOf(context),
      (start, end) => ({ path: linearPath(start, end, interior) }),
      golden.input('in/xs'),
      golden.input('in/xe'),
    );
    golden.compare('out/linearPath', straight.get('path')!);
    golden.compare('out/trueEnergyOfLinear', energies(golden, golden.array('out/linearPath')));
    return golden.outputs;
  },
};

interface ExpectedSolve {
  readonly energy: number | string;
  readonly converged: boolean;
  readonly iterations: number;
}

const edgeHandler: ParityHandler = {
  system,
  kind: 'geodesic-edge',
  run(testCase) {
    const golden = new GoldenCase(testCase);
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
      const expected = golden.expected<ExpectedSolve>(name)!;
      golden.compare(`out/${name}Path`, solved.path.data);
      golden.close(
        `${name} energy`,
        [solved.energy],
        [Number(expected.energy)],
        golden.tolerance('out/energy'),
      );
      golden.equal(`${name} converged`, String(solved.converged), String(expected.converged));
      golden.equal(`${name} iterations`, [solved.iterations], [expected.iterations]);
    }
    return golden.outputs;
  },
};

const h1Handler: ParityHandler = {
  system,
  kind: 'geodesic-h1',
  run(testCase) {
    const golden = new GoldenCase(testCase);
    const solver = new GeodesicSolver(metricOf(golden), {
      nGeoPts: golden.number('nGeoPts'),
      history: golden.number('history'),
    });
    const [xs, xe] = [golden.array('in/xs'), golden.array('in/xe')];
    const solved = solver.solve(xs, xe);
    golden.compare('out/minimalEnergy', solved.energyPerItem);
    golden.compare('out/minimalPath', solved.path.data);
    const straight = new GeodesicSolver(metricOf(golden), {
      method: 'straight',
      nGeoPts: golden.number('nGeoPts'),
    }).solve(xs, xe);
    golden.compare('out/linearEnergy', straight.energyPerItem, golden.tolerance('out/minimalEnergy'));
    golden.equal('converged', String(solved.converged), 'true');
    return golden.outputs;
  },
};

export const geodesicHandlers: readonly ParityHandler[] = [adamHandler, edgeHandler, h1Handler];

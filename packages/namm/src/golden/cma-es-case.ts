import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { CmaEs } from '../evolution/cma-es/cma-es.js';
import { type Strategy, strategyOf } from '../evolution/cma-es/strategy.js';

interface Run {
  readonly name: 'quad' | 'rosen' | 'resumed';
  readonly paramSize: number;
  readonly popSize: number;
  readonly eliteRatio: number;
  readonly initSigma: number;
  readonly shiftFirstGen: boolean;
}

interface Sizes {
  readonly n: number;
  readonly popSize: number;
  readonly eliteRatio: number;
}

/** Objectives of the case, which its JSON has in words. */
const objectives = { quad: slopedQuadratic, rosen: rosenbrock, resumed: rosenbrock } as const;

function slopedQuadratic(x: Float64Array): number {
  return -x.reduce((sum, value, i) => sum + 10 ** ((2 * i) / (x.length - 1)) * (value - 0.3) ** 2, 0);
}

function rosenbrock(x: Float64Array): number {
  let sum = 0;
  for (let i = 0; i + 1 < x.length; i++) sum += 100 * (x[i + 1]! - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2;
  return -sum;
}

/** Constants, generations under the reference's sampling, and the same search with sampling that knows no basis. */
export const cmaEsCase: GoldenHandler = {
  system: 'namm',
  kind: 'cma-es',
  expects: [
    'defaultsTable/*/muEff',
    'defaultsTable/*/c1',
    'defaultsTable/*/cMu',
    'defaultsTable/*/cSigma',
    'defaultsTable/*/dSigma',
    'defaultsTable/*/cC',
    'defaultsTable/*/expectedNorm',
    'defaultsTable/*/sumWeights',
  ],
  run(testCase) {
    const runs = testCase.member<{ runs: readonly Run[]; generations: number }>('config', {
      runs: [],
      generations: 0,
    });
    const parts = runs.runs.map((run) => ({
      ...constants(run),
      ...reference(testCase, run, runs.generations),
      ...basisFree(testCase, run, runs.generations),
    }));
    return Object.assign({}, ...parts, ...defaults(testCase));
  },
};

function searchOf(testCase: GoldenCase, { name, ...run }: Run): CmaEs {
  return new CmaEs({ ...run, parity: true, covariance: 'full', mean: testCase.numbers(`in/${name}_mean0`) });
}

const figures = ({ muEff, c1, cMu, cSigma, dSigma, cC }: Strategy) => ({
  muEff,
  c1,
  cMu,
  cSigma,
  dSigma,
  cC,
});

function constants({ name, ...run }: Run): GoldenOutputs {
  const { strategy } = new CmaEs({ ...run, parity: true, covariance: 'full' });
  return {
    [`out/${name}_weights`]: strategy.weights,
    [`out/${name}_weightsTruncated`]: strategy.weightsTruncated,
    [`out/${name}_constants`]: [...Object.values(figures(strategy)), strategy.cM, strategy.expectedNorm],
  };
}

function defaults(testCase: GoldenCase): GoldenOutputs[] {
  return testCase.member<readonly Sizes[]>('defaultsTable', []).map(({ n, popSize, eliteRatio }, index) => {
    const strategy = strategyOf({
      paramSize: n,
      popSize,
      eliteRatio,
      covariance: 'full',
      cM: 1,
      rates: {},
      parity: true,
    });
    const sum = strategy.weights.reduce((total, weight) => total + weight, 0);
    const all = { ...figures(strategy), expectedNorm: strategy.expectedNorm, sumWeights: sum };
    return Object.fromEntries(
      Object.entries(all).map(([key, value]) => [`defaultsTable/${index}/${key}`, value]),
    );
  });
}

/** Generations whose populations are drawn with the reference's own eigenvectors, the signs of which are arbitrary. */
function reference(testCase: GoldenCase, run: Run, generations: number): GoldenOutputs {
  const { name, paramSize: n, popSize } = run;
  const search = searchOf(testCase, run);
  const outputs: Record<string, ArrayLike<number>> = {};
  for (let g = 0; g < generations; g++) {
    const z = testCase.numbers(`in/${name}_z${g}`);
    const vectors = testCase.numbers(`state/${name}_B${g}`);
    const deviations = testCase.numbers(`state/${name}_D${g}`);
    const y = Float64Array.from({ length: popSize * n }, (_, index) => {
      const [member, row] = [Math.floor(index / n), index % n];
      let sum = 0;
      for (let k = 0; k < n; k++) sum += z[member * n + k]! * deviations[k]! * vectors[row * n + k]!;
      return sum;
    });
    outputs[`out/${name}_x${g}`] = search.propose(y).flatMap((member) => [...member]);
    search.tell(testCase.numbers(`in/${name}_fitness${g}`));
    const { mean, sigma, covariance, pathC, pathSigma } = search.state();
    Object.assign(outputs, {
      [`out/${name}_mean${g}`]: mean,
      [`out/${name}_sigma${g}`]: [sigma],
      [`out/${name}_C${g}`]: covariance,
      [`out/${name}_pathC${g}`]: pathC,
      [`out/${name}_pathSigma${g}`]: pathSigma,
    });
  }
  const best = search.bestMember;
  outputs[`out/${name}_best`] = best?.member ?? [];
  outputs[`out/${name}_bestFitness`] = [best?.fitness ?? Number.NaN];
  return outputs;
}

function basisFree(testCase: GoldenCase, run: Run, generations: number): GoldenOutputs {
  const search = searchOf(testCase, run);
  const outputs: Record<string, ArrayLike<number>> = {};
  for (let g = 0; g < generations; g++) {
    const population = search.ask(testCase.numbers(`in/${run.name}_z${g}`));
    outputs[`out/${run.name}_sym_x${g}`] = population.flatMap((member) => [...member]);
    search.tell(population.map(objectives[run.name]));
    outputs[`out/${run.name}_sym_mean${g}`] = search.mean;
    outputs[`out/${run.name}_sym_sigma${g}`] = [search.sigma];
  }
  return outputs;
}

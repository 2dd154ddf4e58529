import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import type { Engine } from '@palimpsest/tensor-core';
import { CmaEs } from '../evolution/cma-es/cma-es.js';
import { fitnessOf } from '../evolution/fitness.js';
import { InProcessRunner } from '../evolution/population/in-process-runner.js';
import { populationModel } from '../evolution/population/population-model.js';
import type { PopulationReply, Trial } from '../evolution/trial.js';
import { configOf } from './case-parts.js';
import { languageModel } from './language-model.js';

interface EvolveCase {
  readonly model: Record<string, number>;
  readonly namm: Record<string, unknown>;
  readonly updateInterval: number;
  readonly maxNewTokensPerForward: number;
  readonly popSize: number;
  readonly eliteRatio: number;
  readonly initSigma: number;
  readonly paramSize: number;
}

/** Tokens that are read before the rest is measured. */
const PROMPT = 48;
const GENERATIONS = 2;

/** Two generations of the whole loop: members manage a model's cache, are judged by likelihood, and are told. */
export const evolveLmCase: GoldenHandler = {
  system: 'namm',
  kind: 'evolve-lm',
  async run(testCase, context) {
    const settings = testCase.member<EvolveCase | undefined>('config', undefined)!;
    const { model: size, namm, updateInterval, maxNewTokensPerForward, ...search } = settings;
    const { model, params } = languageModel(testCase, size);
    const config = configOf({ ...namm, updateInterval }, { maxTokensPerForward: maxNewTokensPerForward });
    const runner = new InProcessRunner(context.engine as Engine, populationModel(model, params, config));
    const trials = trialsOf(testCase);
    const full = await runner.run({ vectors: 'full', trials });
    const likelihoodsOfFull = likelihoods(full, 0);
    const reference = Object.fromEntries(likelihoodsOfFull.entries());
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const cma = new CmaEs({
      ...search,
      covariance: 'full',
      parity: true,
      mean: testCase.numbers('in/mean0'),
    });
    const outputs: Record<string, GoldenOutputs[string]> = {
      'out/fullCacheLikelihood': [mean(likelihoodsOfFull)],
    };
    for (let g = 0; g < GENERATIONS; g++) {
      const members = cma.propose(testCase.numbers(`in/y${g}`));
      const reply = await runner.run({
        vectors: members.map((member) => Float32Array.from(member)),
        trials,
      });
      const fitness = members.map((_, member) => {
        const scores = { text: mean(likelihoods(reply, member)) };
        return fitnessOf(scores, { reference: { text: reference }, percents: true }).fitness;
      });
      cma.tell(fitness);
      const { mean: center, sigma, pathC, pathSigma, covariance } = cma.state();
      const n = cma.paramSize;
      Object.assign(outputs, {
        [`out/logProb${g}`]: reply.outcomes.flatMap((row) => row.map(({ logProb }) => logProb!)),
        [`out/cacheLengths${g}`]: reply.outcomes
          .flat()
          .flatMap(({ lengths }) => lengths.map((heads) => heads[0]!)),
        [`out/fitness${g}`]: fitness,
        [`out/mean${g}`]: center,
        [`out/sigma${g}`]: [sigma],
        [`out/pathC${g}`]: pathC,
        [`out/pathSigma${g}`]: pathSigma,
        [`out/Cdiag${g}`]: pathC.map((_, i) => covariance[i * (n + 1)]!),
        [`out/Cprobe${g}`]: pathC.map((_, i) => {
          let sum = 0;
          for (let j = 0; j < n; j++) sum += covariance[i * n + j]! * Math.cos(j);
          return sum;
        }),
      });
    }
    await runner.dispose();
    return outputs;
  },
};

function trialsOf(testCase: GoldenCase): Trial[] {
  const ids = testCase.integers('in/ids');
  const [rows, time] = testCase.shape('in/ids') as [number, number];
  return Array.from({ length: rows }, (_, row) => {
    const own = ids.slice(row * time, (row + 1) * time);
    return { prompt: own.slice(0, PROMPT), target: own.slice(PROMPT) };
  });
}

/** Geometric mean probability of the target, by trial. */
const likelihoods = ({ outcomes }: PopulationReply, member: number): number[] =>
  outcomes[member]!.map(({ logProb }) => Math.exp(logProb!));

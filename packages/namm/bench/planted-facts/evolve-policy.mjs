// Evolves what the cache of the transformer forgets, for two tasks. Chosen by samples of the validation part of the text.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { mean } from '@palimpsest/base';
import { evolveNamm, InProcessRunner, loadLatest, loadPolicy, populationModel } from '../../dist/index.js';
import { bisect } from './bisect.mjs';
import { ALIGNED, EVOLVED_FOR, folderOf, openBase, taskOf } from './setup.mjs';
import { startFile } from './warm-start.mjs';

export const SEARCH = {
  // The descent has left little to find: small steps, and more samples than a search from nothing would take.
  ...{ popSize: 8, samplesPerTask: 4, validationSamples: 12, maxIters: 8, evalInterval: 4, initSigma: 0.03 },
  // Without a price nothing would be forgotten; it adapts, so that policies are compared at the size at which they are judged.
  ...{ sparsityCoeff: 3e-4, sparsityTarget: ALIGNED, sparsityOver: 'mean' },
};
const ROWS = 16;
/** How near its size has to come, as a share. */
const TOLERANCE = 0.02;

/** One evolution for each search, each from its own descent. */
export async function evolvePolicies({ searches, ...context }) {
  for (const search of searches) {
    if (!(await evolvePolicy({ ...context, search }))) return false;
  }
  return true;
}

async function evolvePolicy({ engine, text, out, seed, search, report, signal }) {
  const folder = folderOf(out, 'policy', search);
  const { model, params } = await openBase(out, seed);
  const begun = await loadPolicy(startFile(out, search));
  const { config, statistics } = begun;
  const runner = new InProcessRunner(engine, populationModel(model, params, config, ROWS));
  const resume = existsSync(join(folder, 'latest.safetensors')) ? await loadLatest(folder) : undefined;
  const start = resume ? undefined : await aligned(runner, begun, taskOf('plantedFacts', text));
  const stages = [{ tasks: EVOLVED_FOR.map((name) => taskOf(name, text, undefined, { size: 2 ** 12 })) }];
  const settings = { ...SEARCH, seed: search };
  try {
    for await (const event of evolveNamm({
      config,
      runner,
      stages,
      settings,
      folder,
      start,
      statistics,
      resume,
      signal,
    })) {
      if (event.type === 'generation' || event.type === 'evaluation') report(describe(event));
      if (event.type === 'interrupted') return false;
    }
    return true;
  } finally {
    await runner.dispose();
  }
}

/**
 * The vector of the warm start with another constant: what it leaves out is the level of all scores, which is set so that the mean size
 * is a number of tokens.
 */
async function aligned(runner, { parameters, statistics }, task) {
  const trials = Array.from({ length: 4 }, (_, index) => task.sample('train', index).trial);
  const raised = (by) => parameters.map((value, i) => (i === parameters.length - 1 ? value + by : value));
  const sizeAt = async (by) => {
    const { outcomes } = await runner.run({ vectors: [raised(by)], trials, statistics });
    return mean(outcomes[0].flatMap((outcome) => outcome.kept.flat(2)));
  };
  return raised(await bisect(sizeAt, ALIGNED, { range: [-16, 16], tolerance: TOLERANCE }));
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function describe(event) {
  const { type, generation, sizes } = event;
  const kept = `${sizes.mean.toFixed(0)} tokens per head after an update`;
  return type === 'generation'
    ? `generation ${generation}: best ${percent(event.best)}, mean ${percent(event.mean)}, ${kept}, ${event.seconds.toFixed(1)} s`
    : `generation ${generation}, on the validation part: ${percent(event.fitness)}, ${kept}`;
}

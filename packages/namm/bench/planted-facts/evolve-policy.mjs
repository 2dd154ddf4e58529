// Evolves what the cache of the transformer forgets, for two tasks. Chosen by samples of the validation part of the text.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { evolveNamm, InProcessRunner, loadLatest, populationModel } from '../../dist/index.js';
import { EVOLVED_FOR, openBase, taskOf } from './setup.mjs';
import { openStart } from './warm-start.mjs';

export const SEARCH = {
  ...{ popSize: 8, samplesPerTask: 2, validationSamples: 4, maxIters: 6, evalInterval: 3 },
  // Without a price nothing would be forgotten: 128 tokens of 1,024 per head cost an eighth of the full cache's score.
  ...{ sparsityCoeff: 1e-3, sparsityOver: 'mean' },
};
const ROWS = 16;
/** Tokens per head that the first mean keeps. */
const ALIGNED = 128;

export const policyFolder = (out, seed = 0) => join(out, `policy-${seed}`);

export async function evolvePolicy({ engine, text, out, seed = 0, report, signal }) {
  const folder = policyFolder(out, seed);
  const { model, params } = await openBase(out);
  const begun = await openStart(out);
  const { config, statistics } = begun;
  const runner = new InProcessRunner(engine, populationModel(model, params, config, ROWS));
  const resume = existsSync(join(folder, 'latest.safetensors')) ? await loadLatest(folder) : undefined;
  const start = resume ? undefined : await aligned(runner, begun, taskOf('plantedFacts', text));
  const stages = [{ tasks: EVOLVED_FOR.map((name) => taskOf(name, text, undefined, { size: 2 ** 12 })) }];
  const settings = { ...SEARCH, seed };
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
  let [low, high] = [-16, 16];
  for (let step = 0; step < 12; step++) {
    const middle = (low + high) / 2;
    const { outcomes } = await runner.run({ vectors: [raised(middle)], trials, statistics });
    const kept = outcomes[0].flatMap((outcome) => outcome.kept.flat(2));
    if (kept.reduce((sum, count) => sum + count, 0) / kept.length > ALIGNED) high = middle;
    else low = middle;
  }
  return raised((low + high) / 2);
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function describe(event) {
  const { type, generation, sizes } = event;
  const kept = `${sizes.mean.toFixed(0)} tokens per head after an update`;
  return type === 'generation'
    ? `generation ${generation}: best ${percent(event.best)}, mean ${percent(event.mean)}, ${kept}, ${event.seconds.toFixed(1)} s`
    : `generation ${generation}, on the validation part: ${percent(event.fitness)}, ${kept}`;
}

// Evolves the small policy that the contender `cache-namm` brings, and writes it as a module: `src/contender/recall-policy.ts`.
//   node bench/contender/evolve.mjs [--generations 20]
// A transformer of width 32 learns multi-query recall; then a policy learns what its cache may forget when a head keeps 12 tokens.
// Judged on samples that nothing was trained or chosen by. Everything is drawn from seeds: the same numbers every time.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createEngine } from '@palimpsest/tensor-core';
import {
  evaluateNamm,
  evolutionConfig,
  evolveNamm,
  InProcessRunner,
  loadPolicy,
  populationModel,
  resolveNAMMConfig,
} from '../../dist/index.js';
import { BUDGET, LENGTH, learnedRecall, PAIRS, task, VOCABULARY, WATCH } from './recall.mjs';

const { values } = parseArgs({ options: { generations: { type: 'string', default: '20' } } });
const OUT = fileURLToPath(new URL('../../src/contender/recall-policy.ts', import.meta.url));
const SETTINGS = {
  ...{ popSize: 16, samplesPerTask: 16, validationSamples: 128, evalInterval: 10, seed: 1, initSigma: 0.2 },
  maxIters: Number(values.generations),
};

const engine = await createEngine('auto', { threads: 1 });
const { learner, params } = await learnedRecall(engine, console.log);
const config = evolutionConfig({ ...WATCH, selection: { kind: 'binary', cacheSize: BUDGET } });
const runner = new InProcessRunner(engine, populationModel(learner, params, config, 128));
const folder = fileURLToPath(new URL('../../../../runs/contender-policy', import.meta.url));
for await (const event of evolveNamm({
  config,
  runner,
  stages: [{ tasks: [task] }],
  settings: SETTINGS,
  folder,
})) {
  if (event.type === 'generation') {
    console.log(
      `generation ${event.generation}: ${event.best.toFixed(3)}, ${event.mean.toFixed(3)}, ${event.seconds.toFixed(1)} s`,
    );
  }
  if (event.type === 'evaluation') console.log(`evaluation: ${event.fitness.toFixed(3)}`);
}
const policy = await loadPolicy(`${folder}/best.safetensors`);
const judged = async (parameters) => {
  const { tasks } = await evaluateNamm({
    runner,
    policy: { ...policy, parameters },
    tasks: [task],
    samples: 256,
  });
  return tasks.recall.beside;
};
const [before, after] = [
  await judged(new Float32Array(policy.parameters.length)),
  await judged(policy.parameters),
];
console.log(
  `held-out samples: the newest ${BUDGET} tokens ${before.toFixed(3)}, evolved ${after.toFixed(3)} of the full cache`,
);
await runner.dispose();
await engine.dispose();

const bytes = Buffer.from(
  policy.parameters.buffer,
  policy.parameters.byteOffset,
  policy.parameters.byteLength,
);
const list = (numbers) => `[${Array.from(numbers, (x) => Number(x.toPrecision(7))).join(', ')}]`;
const given = Object.keys(resolveNAMMConfig()).filter(
  (key) => JSON.stringify(config[key]) !== JSON.stringify(resolveNAMMConfig()[key]) && key !== 'selection',
);
writeFileSync(
  OUT,
  `// Written by bench/contender/evolve.mjs.

/** A policy for multi-query recall: ${policy.parameters.length} numbers, evolved for ${SETTINGS.maxIters} generations of ${SETTINGS.popSize} members. */
export const recallPolicy = {
  card: {
    evolvedFor: 'multi-query recall: ${PAIRS.join(', ')} pairs in ${LENGTH} tokens, ${BUDGET} tokens kept per head',
    evolvedOn: 'a transformer of width 32, 2 layers, 2 heads and ${VOCABULARY} tokens, which learned the same',
    generations: ${SETTINGS.maxIters},
    members: ${SETTINGS.popSize},
    seed: ${SETTINGS.seed},
    /** Probability of the right answer on 256 held-out samples, as shares of the full cache's. */
    heldOut: { newestAlone: ${before.toFixed(3)}, evolved: ${after.toFixed(3)} },
  },
  options: ${JSON.stringify(Object.fromEntries(given.map((key) => [key, config[key]])))},
  /** float32, little-endian, in base 64. */
  parameters: '${bytes.toString('base64')}',
  statistics: [${(policy.statistics ?? []).map(({ mean, variance, count }) => `{ mean: ${list(mean)}, variance: ${list(variance)}, count: ${count} }`).join(', ')}],
} as const;
`,
);

// Evolves a small policy over a small model into a folder, or goes on there; prints a line per event.
//   node evolve-program.mjs FOLDER WORKERS
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createTransformer } from '@palimpsest/backbone';
import { Rng } from '@palimpsest/tensor-core';
import {
  evolutionConfig,
  evolveNamm,
  loadLatest,
  ProcessRunner,
  populationModel,
} from '../../../dist/index.js';

const [folder, workers] = [process.argv[2], Number(process.argv[3])];
const transformer = createTransformer({ vocabSize: 31, context: 64, layers: 1, heads: 2, modelWidth: 16 });
const config = evolutionConfig({
  nFft: 8,
  hopLength: 4,
  recencyEmbedDim: 4,
  bam: { hiddenDim: 6 },
  updateInterval: 16,
  maxTokensPerForward: 16,
});
const params = transformer.init(Rng.fromSeed(1));
for (let i = 0; i < params.tokenEmbedding.data.length; i++) params.tokenEmbedding.data[i] *= 30;
const task = {
  name: 'text',
  size: 8,
  sample: (split, index) => {
    const rng = Rng.fromSeed(index).fork(split);
    const ids = (count) => Int32Array.from({ length: count }, () => rng.int(31));
    return { trial: { prompt: ids(36), target: ids(4) }, score: ({ logProb }) => Math.exp(logProb) };
  },
};
const runner = new ProcessRunner(populationModel(transformer, params, config, 8), { workers });
const resume = existsSync(join(folder, 'latest.safetensors')) ? await loadLatest(folder) : undefined;
const events = evolveNamm({
  config,
  runner,
  folder,
  stages: [{ tasks: [task] }],
  ...(resume
    ? { resume }
    : {
        settings: {
          popSize: 4,
          samplesPerTask: 2,
          validationSamples: 2,
          maxIters: 6,
          evalInterval: 2,
          initSigma: 0.3,
          seed: 3,
        },
      }),
});
for await (const event of events) console.log(event.type, event.generation ?? '');
await runner.dispose();

// A task of your own, asked of every model of the house: bytes of memory after a text of some length.
// Run it twice: the second time every cell is found in the folder. `node own-task.mjs [folder]`
import {
  cellVersions,
  formatCells,
  inProcessExecutor,
  ResultStore,
  runSweep,
  standardRegistry,
} from '@palimpsest/harness';
import { stateBytes } from '@palimpsest/lm';
import { z } from 'zod';

const options = z.strictObject({
  length: z.int().min(1).default(1000).describe('tokens of the text'),
});

/** @type {import('@palimpsest/harness').Task} */
const memorySize = {
  name: 'memory-size',
  family: 'library',
  title: 'Size of the memory',
  description: 'Bytes that a model keeps between two tokens of a text.',
  options,
  contenders: 'trained',
  headline: { metric: 'memory', unit: 'bytes', higherIsBetter: false },
  async run({ contestant }, { length }) {
    const model = contestant.create({ vocabSize: 64, trainLength: length, longestLength: length });
    const bytes = await stateBytes(model);
    return { metrics: [{ name: 'memory', value: bytes, unit: 'bytes' }], stateBytes: bytes };
  },
};

const registry = { ...standardRegistry, tasks: [...standardRegistry.tasks, memorySize] };
const versions = cellVersions();
const summary = await runSweep({
  registry,
  versions,
  engine: 'cpu',
  executor: inProcessExecutor(registry, { versions }),
  store: await ResultStore.open(process.argv[2] ?? 'memory-size'),
  cells: ['osam', 'transformer', 'transformer-window', 'no-memory'].flatMap((model) =>
    [100, 10_000].map((length) => ({
      task: 'memory-size',
      taskOptions: { length },
      model,
      seed: 1,
      engine: 'auto',
    })),
  ),
});
console.log(formatCells(summary.results, registry));
console.log(`${summary.computed} of ${summary.total} cells were computed now.`);

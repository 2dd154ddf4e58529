import type { CellSpecInput } from '../cells/cell.js';
import { countedTables, type Field, grid, memories, plain, single, sizes } from './grid.js';

type TaskOptions = NonNullable<CellSpecInput['taskOptions']>;

/** Four rates, log-spaced: recurrent models win in a narrow window only, and the report prints the whole grid. */
const shared = { seeds: [1, 2, 3], rates: [1e-3, 2.15e-3, 4.64e-3, 1e-2] };
const once = { seeds: [1] };
const learning = { steps: 4000, batch: 64, examples: 1024, stopAt: 0.005 };

const mqarSmall: TaskOptions = {
  ...learning,
  vocabSize: 64,
  train: [[64, 8]],
  test: [
    [64, 8],
    [64, 16],
  ],
};
/** Two points of the published definition. */
const mqarPublished: TaskOptions = {
  ...learning,
  vocabSize: 8192,
  train: [
    [64, 4],
    [128, 8],
  ],
  test: [
    [64, 4],
    [128, 8],
  ],
};

/** Tasks that every model is asked at its default size. */
const recall: readonly (readonly [string, TaskOptions])[] = [
  ['mqar', mqarPublished],
  ['induction', { trainLength: 256, factors: [1, 2, 4, 8, 16, 32] }],
  ['copying', {}],
  ['selective-copying', { count: 16, spread: 256, factors: [1, 2, 4] }],
  ['mad-recall', { length: 128 }],
  ['mad-fuzzy-recall', { length: 128 }],
  ['mad-noisy-recall', { length: 128 }],
  ['mad-compression', {}],
  ['mad-memorisation', {}],
  ['passkey', { digits: 4, trainLength: 256, factors: [1, 2, 4, 8, 16, 32] }],
  ['retrieval-distance', { trainDistance: 124, distances: [16, 124, 250, 500, 1000, 2000, 4000] }],
];
/** Tasks of those that are asked with the weights of another model, at its own rate. */
const asked = ['retrieval-distance', 'passkey'];
const seeds = { seeds: shared.seeds };
const text = { characters: 1_000_000, window: 128, reading: 'lanes' };

/** Hours on two cores; interrupted, it goes on where it stopped. */
export const fullCells = (field: Field): CellSpecInput[] => [
  ...field.goldenSystems.map((system) => single('parity', { system })),
  ...grid('mqar', mqarSmall, sizes(field, [...field.fixed, ...field.none], [16, 32, 64, 128]), shared),
  ...grid('mqar', mqarSmall, sizes(field, field.growing, [32, 64, 128]), shared),
  ...recall.flatMap(([task, options]) =>
    grid(task, { ...learning, ...options }, plain(field.everyone), shared),
  ),
  ...grid('mqar', mqarSmall, memories(field, field.borrowed), seeds),
  ...recall
    .filter(([task]) => asked.includes(task))
    .flatMap(([task, options]) => grid(task, { ...learning, ...options }, plain(field.borrowed), seeds)),
  ...grid('language', { ...text, steps: 3000 }, plain(field.everyone), shared),
  ...grid('language', { ...text, seconds: 300 }, plain(field.everyone), once),
  ...grid('language', text, countedTables(field, 7), once),
  ...grid('training-cost', { batch: 32, time: 128 }, plain(field.everyone), once),
  ...grid(
    'decoding-cost',
    { contexts: [128, 512, 2048, 8192, 32_768], prefillChunk: 256 },
    plain(field.everyone),
    once,
  ),
  single('sketch-error', { sketchDims: [64, 128, 256, 512, 1024, 2048, 4096], trials: 1000 }),
  single('kakeya-rate-distortion', {
    dimension: 256,
    trainRows: 4000,
    testRows: 1000,
    residuals: [2, 4, 8, 16],
  }),
  single('index-recall', { sizes: [1000, 10_000, 100_000] }),
];

import type { CellSpecInput } from '../cells/cell.js';
import { countedTables, type Entrant, type Field, grid, matched, memories, sizes } from './grid.js';

type TaskOptions = NonNullable<CellSpecInput['taskOptions']>;

const seeds = { seeds: [1, 2, 3] };
const once = { seeds: [1] };
/** Few examples per slice: with three seeds the noise that counts is that between runs. */
const learning = { steps: 500, examples: 128, stopAt: 0.01 };

/** One model per width learns every number of pairs, so that a cell gives four points of the frontier. */
const pairs = [4, 8, 16, 32].map((count) => [128, count]);
const mqar: TaskOptions = {
  ...learning,
  steps: 1000,
  batch: 16,
  vocabSize: 80,
  train: pairs,
  test: pairs,
};
/** To 64 times the distance of training. */
const retrieval: TaskOptions = {
  ...learning,
  steps: 800,
  examples: 64,
  trainDistance: 48,
  distances: [8, 48, 96, 192, 384, 768, 1536, 3072],
};
const passkey: TaskOptions = { ...learning, steps: 500, examples: 64, factors: [1, 2, 4, 8] };
/** The six of Poli et al. 2024, shorter than published. */
const mad = [
  'mad-recall',
  'mad-fuzzy-recall',
  'mad-noisy-recall',
  'selective-copying',
  'mad-compression',
  'mad-memorisation',
];
const text: TaskOptions = { characters: 120_000, steps: 1000, reading: 'lanes' };

/** Hours on two cores, three seeds: every mechanism, every policy over a cache, every control. */
export const standardCells = (field: Field): CellSpecInput[] => {
  const { fixed, growing, none, everyone, borrowed } = field;
  return [
    ...grid('mqar', mqar, sizes(field, fixed, [16, 32, 64]), seeds),
    ...grid('mqar', mqar, sizes(field, [...growing, ...none], [64]), seeds),
    ...grid('mqar', mqar, memories(field, borrowed).filter(isMiddle(field)), seeds),
    ...grid('retrieval-distance', retrieval, matched(field, [...everyone, ...borrowed]), seeds),
    ...mad.flatMap((task) => grid(task, learning, matched(field, everyone), seeds)),
    ...grid('passkey', passkey, matched(field, [...everyone, ...borrowed]), seeds),
    ...grid('language', text, matched(field, everyone), seeds),
    ...grid('language', text, countedTables(field, 5), once),
    ...grid('training-cost', {}, matched(field, everyone), seeds),
    ...grid(
      'decoding-cost',
      { contexts: [128, 512, 2048, 8192, 32_768], prefillChunk: 256 },
      matched(field, [...everyone, ...borrowed]),
      once,
    ),
  ];
};

/** Of the sizes that a memory over another model's weights names, the one in the middle. */
const isMiddle =
  ({ memorySizesOf }: Field) =>
  ({ model, options }: Entrant): boolean => {
    const sizes = memorySizesOf.get(model) ?? [];
    return sizes.length === 0 || options === sizes[Math.floor(sizes.length / 2)];
  };

/** What a text of the user adds: it is read whole, its last tenth held out. */
export const standardTextCells = (field: Field): CellSpecInput[] => [
  ...grid('language', { steps: 1500, window: 128, reading: 'lanes' }, matched(field, field.everyone), seeds),
  ...grid('language', { window: 128, reading: 'lanes' }, countedTables(field, 6), once),
];

import { everyone, goldenSystems, grid, ngrams, plain, single, sizes } from './grid.js';

const recall = { vocabSize: 24, steps: 700, stopAt: 0.03 };
const needle = { trainDistance: 48, distances: [8, 48, 96, 192, 384], steps: 600, stopAt: 0.02 };
/** Consecutive windows that carry the memory: what is read as one stream must be learned as one. */
const text = { characters: 120_000, steps: 350, reading: 'lanes' };
const once = { seeds: [1] };
/** Mechanisms whose recall is drawn against their bytes of memory. */
const frontier = ['osam', 'rsm', 'linear-attention', 'transformer-window'];

/** What `npm start` shows: every mechanism, small, on embedded data. */
export const quickCells = [
  ...goldenSystems.map((system) => single('parity', { system })),
  ...grid('mqar', recall, sizes(frontier, [16, 32, 64]), once),
  ...grid('mqar', recall, sizes(['transformer-sinks', 'transformer', 'no-memory'], [64]), once),
  ...grid('retrieval-distance', needle, plain(everyone), once),
  ...grid('language', text, plain(everyone), { seeds: [1, 2] }),
  ...grid('language', text, ngrams(5), once),
  ...grid('training-cost', {}, plain(everyone), once),
  ...grid('decoding-cost', { contexts: [128, 512, 2048] }, plain(everyone), once),
  single('sketch-error'),
  single('kakeya-rate-distortion'),
  single('index-recall'),
];

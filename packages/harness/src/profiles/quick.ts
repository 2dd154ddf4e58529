import type { CellSpecInput } from '../cells/cell.js';
import { countedTables, type Field, grid, memories, plain, single, sizes } from './grid.js';

export const recall = { vocabSize: 24, steps: 700, stopAt: 0.03 };
export const needle = { trainDistance: 48, distances: [8, 48, 96, 192, 384], steps: 600, stopAt: 0.02 };
/** Consecutive windows that carry the memory: what is read as one stream must be learned as one. */
export const text = { characters: 120_000, steps: 350, reading: 'lanes' };
const once = { seeds: [1] };

/** What `npm start` shows: every mechanism, small, on embedded data. */
export const quickCells = (field: Field): CellSpecInput[] => [
  ...field.goldenSystems.map((system) => single('parity', { system })),
  ...grid('mqar', recall, sizes(field, field.fixed, [32, 64]), once),
  ...grid('mqar', recall, sizes(field, [...field.growing, ...field.none], [64]), once),
  ...grid('mqar', recall, memories(field, field.borrowed), once),
  ...grid('retrieval-distance', needle, plain([...field.everyone, ...field.borrowed]), once),
  ...grid('language', text, plain(field.everyone), once),
  ...grid('language', text, countedTables(field, 5), once),
  ...grid('training-cost', {}, plain(field.everyone), once),
  ...grid('decoding-cost', { contexts: [128, 512, 2048] }, plain(field.everyone), once),
  single('sketch-error'),
  single('kakeya-rate-distortion'),
  single('index-recall'),
  single('session-viability'),
];

import { grid, single } from './grid.js';

const few = { steps: 20, batch: 8, examples: 16 };
const models = ['osam', 'rsm', 'transformer-window', 'no-memory'].map((model) => ({
  model,
  options: { width: 16, layers: 1 },
}));
const text = { characters: 5000, steps: 10, batch: 4, window: 32 };
const once = { seeds: [1] };

/** One cell of everything, too small to learn anything: does it all still run? */
export const smokeCells = [
  single('parity', { system: 'kakeya' }),
  ...grid('mqar', few, models, once),
  ...grid('passkey', { ...few, factors: [1, 2], depths: [0, 1] }, models.slice(0, 1), once),
  ...grid('language', text, models.slice(0, 2), once),
  ...grid('language', text, [{ model: 'ngram', options: { order: 2 } }], once),
  ...grid('training-cost', { batch: 2, time: 16, steps: 3 }, models.slice(0, 2), once),
  ...grid(
    'decoding-cost',
    { contexts: [32, 64], timedTokens: 4, prefillChunk: 16 },
    models.slice(0, 3),
    once,
  ),
  single('sketch-error', { sketchDims: [32, 128], trials: 20 }),
];

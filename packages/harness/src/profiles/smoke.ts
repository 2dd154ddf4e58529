import type { CellSpecInput } from '../cells/cell.js';
import { type Field, grid, single, sized } from './grid.js';

const few = { steps: 20, batch: 8, examples: 16 };
const text = { characters: 5000, steps: 10, batch: 4, window: 32 };
const once = { seeds: [1] };

/** One cell of everything, too small to learn anything: does it all still run? */
export function smokeCells(field: Field): CellSpecInput[] {
  const { fixed, none, counted } = field;
  const small = (models: readonly string[]) => sized(field, models, { width: 16, layers: 1 });
  return [
    single('parity', { system: 'kakeya' }),
    ...grid('mqar', few, small([...fixed, ...none]), once),
    ...grid('passkey', { ...few, factors: [1, 2], depths: [0, 1] }, small(fixed.slice(0, 1)), once),
    ...grid('language', text, small(fixed.slice(0, 2)), once),
    ...grid(
      'language',
      text,
      counted.map((model) => ({ model, options: { order: 2 } })),
      once,
    ),
    ...grid('training-cost', { batch: 2, time: 16, steps: 3 }, small(fixed.slice(0, 2)), once),
    ...grid(
      'decoding-cost',
      { contexts: [32, 64], timedTokens: 4, prefillChunk: 16 },
      small(fixed.slice(0, 3)),
      once,
    ),
    single('sketch-error', { sketchDims: [32, 128], trials: 20 }),
  ];
}

import type { CellSpecInput } from '../cells/cell.js';
import { fullCells } from './full.js';
import { quickCells } from './quick.js';
import { smokeCells } from './smoke.js';

/** A set of cells with a name. */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly cells: readonly CellSpecInput[];
}

/** The profiles of `palimpsest eval`, from the shortest to the longest. */
export const profiles: readonly Profile[] = [
  {
    name: 'smoke',
    description: 'Under a minute: does everything run? Nothing is learned.',
    cells: smokeCells,
  },
  {
    name: 'quick',
    description: 'About five minutes on two cores: every mechanism, small, on embedded data.',
    cells: quickCells,
  },
  {
    name: 'full',
    description: 'Hours, resumable: every task, four learning rates, three seeds.',
    cells: fullCells,
  },
];

import type { Mechanism } from '@palimpsest/lm';
import type { CellSpecInput } from '../cells/cell.js';
import type { Registry } from '../create-registry.js';
import { fullCells } from './full.js';
import { type Field, fieldOf, grid, isBorrowed, memories, plain, single } from './grid.js';
import { needle, quickCells, recall } from './quick.js';
import { smokeCells } from './smoke.js';
import { standardCells, standardTextCells } from './standard.js';

/** A set of cells with a name. */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly cells: readonly CellSpecInput[];
  /** What a text of the user's own adds. Without them it takes the place of the generated text. */
  readonly textCells?: readonly CellSpecInput[];
}

/** The profiles of `palimpsest eval`: from the shortest to the longest, then one per mechanism that brings tasks or models. */
export async function profilesOf({ mechanisms, golden }: Registry): Promise<Profile[]> {
  const systems = new Set((await golden()).map(({ system }) => system));
  const field = fieldOf(mechanisms, [...systems]);
  const quick = fieldOf(mechanisms, [...systems], true);
  return [
    {
      name: 'smoke',
      description: 'Under a minute: does everything run? Nothing is learned.',
      cells: smokeCells(quick),
    },
    {
      name: 'quick',
      description: 'About three minutes on two cores: every mechanism, small, on embedded data.',
      cells: quickCells(quick),
    },
    {
      name: 'standard',
      description: 'At most three hours on two cores, resumable: the table that counts, on three seeds.',
      cells: standardCells(field),
      textCells: standardTextCells(field),
    },
    {
      name: 'full',
      description: 'Hours, resumable: every task, four learning rates, three seeds.',
      cells: fullCells(field),
    },
    ...mechanisms
      .filter(({ tasks = [], contenders = [] }) => tasks.length > 0 || contenders.some(isBorrowed))
      .map((card) => profileOf(card, field)),
  ];
}

/** What there is to know about one mechanism: its own tasks at their defaults, and the recall of the quick profile. */
function profileOf(card: Mechanism, field: Field): Profile {
  const { goldenSystems } = field;
  const { name, title, tasks = [], contenders = [] } = card;
  const own = contenders.filter((contender) => contender.kind === 'trained' && !isBorrowed(contender));
  const borrowed = contenders.filter(isBorrowed).map((contender) => contender.name);
  const models = plain(own.map((contender) => contender.name));
  const once = { seeds: [1] };
  return {
    name,
    description: `${title} alone: its golden cases${tasks.length > 0 ? ' and its own tasks' : ''}${models.length + borrowed.length > 0 ? ', and the recall of the quick profile' : ''}.`,
    cells: [
      ...goldenSystems.filter((system) => system === name).map((system) => single('parity', { system })),
      ...tasks.flatMap((task) =>
        task.contenders === 'none' ? [single(task.name)] : grid(task.name, {}, models, once),
      ),
      ...grid('mqar', recall, [...models, ...memories(field, borrowed)], once),
      ...grid('retrieval-distance', needle, [...models, ...plain(borrowed)], once),
    ],
  };
}

import type { Contender, Mechanism, Task } from '@palimpsest/lm';

import type { CellSpec } from './cell.js';
import type { Versions } from './key.js';

export type { Contender, Task, TaskContext } from '@palimpsest/lm';

/** What can be put into a cell. Whoever runs cells is given one, so that tests can bring their own. */
export interface EvaluationRegistry {
  readonly tasks: readonly Task[];
  readonly contenders: readonly Contender[];
  /** The cards that they came with, as far as there are any. */
  readonly mechanisms?: readonly Mechanism[];
  /** What the key of a cell holds besides the versions of the packages, when something in it came from a plugin. */
  versionsOf?(spec: Pick<CellSpec, 'task' | 'model'>): Versions;
}

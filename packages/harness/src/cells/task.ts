import type { Contender, Task } from '@palimpsest/lm';

export type { Contender, Task, TaskContext } from '@palimpsest/lm';

/** What can be put into a cell. Whoever runs cells is given one, so that tests can bring their own. */
export interface EvaluationRegistry {
  readonly tasks: readonly Task[];
  readonly contenders: readonly Contender[];
}

import type { EvaluationRegistry } from './cells/task.js';
import { contenders } from './contenders/contenders.js';
import { tasks } from './tasks/tasks.js';

/** Every task and contender of the house. */
export const standardRegistry: EvaluationRegistry = { tasks, contenders };

import { InputError } from '@palimpsest/base';
import type { EvolutionTask } from './tasks/evolution-task.js';

/** A part of an evolution with tasks of its own; each begins where the one before ended. */
export interface Stage {
  readonly tasks: readonly EvolutionTask[];
  /** Generations of this stage. Default: `maxIters` of the settings. */
  readonly generations?: number;
}

/** Where a generation stands in a sequence of stages. */
export interface StagePlace {
  readonly stage: number;
  readonly tasks: readonly EvolutionTask[];
  /** First generation of the stage, and of the next one. */
  readonly from: number;
  readonly to: number;
}

/** @throws InputError for no stages, a stage without tasks, or two tasks of one name. */
export function planStages(stages: readonly Stage[], maxIters: number): StagePlace[] {
  if (stages.length === 0) throw new InputError('An evolution needs at least one stage with tasks.');
  let from = 0;
  return stages.map(({ tasks, generations = maxIters }, stage) => {
    const names = tasks.map(({ name }) => name);
    if (names.length === 0) throw new InputError(`Stage ${stage + 1} of the evolution has no tasks.`);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new InputError(`Stage ${stage + 1} names the task '${twice}' twice.`);
    const place = { stage, tasks, from, to: from + generations };
    from += generations;
    return place;
  });
}

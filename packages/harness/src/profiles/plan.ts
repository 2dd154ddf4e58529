import type { CellResult } from '../cells/cell.js';
import { isExclusive } from '../cells/executor.js';
import type { Cell } from '../cells/resolve-cell.js';
import { TimeEstimate } from '../cells/time-estimate.js';
import { isBorrowed } from './grid.js';
import {
  borrowedCost,
  type ModelCost,
  modelCosts,
  NARROW,
  SECONDS_PER_CELL,
  timedCells,
  WIDE,
} from './measured-costs.js';

/** How long the cells of one task will take. */
export interface CellPlan {
  readonly task: string;
  readonly cells: number;
  /** Cells that have a result already; they take no time. */
  readonly finished: number;
  /** Seconds of the machine that the others take; undefined where nothing is known about the task. */
  readonly seconds: number | undefined;
}

/**
 * How long cells will take, task by task, in the order in which tasks are first met: from what like cells of the folder took,
 * and else from measured costs of models and the tokens that a task goes through. Training that solves its task ends early,
 * so that less is likely.
 * @param results what the folder holds
 * @param width cells that run side by side; those that measure time run alone
 */
export function planTime(cells: readonly Cell[], results: readonly CellResult[], width: number): CellPlan[] {
  const measured = new TimeEstimate();
  const finished = new Set<string>();
  for (const { key, status, spec, seconds } of results) {
    if (status !== 'done') continue;
    finished.add(key);
    measured.record(spec, seconds);
  }
  const tasks = [...new Set(cells.map(({ spec }) => spec.task))];
  return tasks.map((task) => {
    const own = cells.filter(({ spec }) => spec.task === task);
    const waiting = own.filter(({ key }) => !finished.has(key));
    const seconds = waiting.reduce((sum, cell) => {
      const one = measured.secondsOfAlike(cell.spec) ?? expectedSeconds(cell) ?? Number.NaN;
      return sum + one / (isExclusive(cell) ? 1 : width);
    }, 0);
    return {
      task,
      cells: own.length,
      finished: own.length - waiting.length,
      seconds: Number.isNaN(seconds) ? undefined : seconds,
    };
  });
}

/** Seconds of a cell on an idle machine, from its tokens; undefined for tasks that do not tell them. */
function expectedSeconds({ task, contender, taskOptions, modelOptions }: Cell): number | undefined {
  const timed = timedCells[task.name];
  if (timed !== undefined) return timed;
  const work = task.work?.(taskOptions);
  if (!work || !contender) return undefined;
  if (contender.kind === 'counted') return SECONDS_PER_CELL;
  const cost = isBorrowed(contender) ? borrowedCost : (modelCosts[contender.name] ?? dearest());
  const { width } = modelOptions;
  const train = trainingCost(cost, typeof width === 'number' ? width : WIDE);
  const ask = (cost.ask * train) / cost.train;
  return SECONDS_PER_CELL + (work.trained * train + work.asked * ask) / 1e6;
}

/** Linear in the width, through the two that were measured. */
function trainingCost({ train, narrow = train / 2 }: ModelCost, width: number): number {
  return Math.max(narrow / 2, narrow + ((train - narrow) * (width - NARROW)) / (WIDE - NARROW));
}

/** What a model that nobody measured is taken to cost. */
function dearest(): ModelCost {
  return Object.values(modelCosts).reduce((most, cost) => (cost.train > most.train ? cost : most));
}

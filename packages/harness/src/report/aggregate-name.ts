import type { Aggregate } from '../results/aggregate.js';

/** How tables and legends call a group of cells: the model, and whatever tells it from others of the same model. */
export function aggregateName(group: Aggregate, neighbours: readonly Aggregate[]): string {
  const { task, contender, modelOptions, taskOptions, engine } = group;
  const own = { ...modelOptions, ...taskOptions };
  const same = neighbours.filter((other) => other.contender === contender);
  const differing = Object.entries(own).filter(([name, value]) =>
    same.some((other) => {
      const theirs = { ...other.modelOptions, ...other.taskOptions } as Record<string, unknown>;
      return JSON.stringify(theirs[name]) !== JSON.stringify(value);
    }),
  );
  const options = differing.map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const engines = new Set(same.map((other) => other.engine));
  const parts = [contender?.title ?? task.title, ...options, ...(engines.size > 1 ? [engine] : [])];
  return parts.join(', ');
}

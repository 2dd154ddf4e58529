import type { Rng } from '@palimpsest/base';
import type { EvolutionTask, Split, TaskSample } from './tasks/evolution-task.js';
import type { Trial } from './trial.js';

/** Samples of one task. */
export interface DrawnTask {
  readonly task: EvolutionTask;
  readonly indices: readonly number[];
}

/** Samples of several tasks in one row, as they are run. */
export interface SampleSet {
  readonly drawn: readonly DrawnTask[];
  readonly samples: readonly { readonly task: string; readonly index: number; readonly sample: TaskSample }[];
  readonly trials: readonly Trial[];
}

/** The samples of a generation: without replacement, the same for all members. */
export function drawSamples(
  tasks: readonly EvolutionTask[],
  rng: Rng,
  {
    samplesPerTask,
    taskBatchSize,
  }: { readonly samplesPerTask: number; readonly taskBatchSize?: number | undefined },
): SampleSet {
  const count = Math.min(taskBatchSize ?? tasks.length, tasks.length);
  const order =
    count < tasks.length
      ? [...rng.permutation(tasks.length).subarray(0, count)].sort((a, b) => a - b)
      : undefined;
  const chosen = order?.map((index) => tasks[index]!) ?? tasks;
  return sampleSet(
    chosen.map((task) => ({
      task,
      indices: [...rng.permutation(task.size).subarray(0, Math.min(samplesPerTask, task.size))],
    })),
    'train',
  );
}

/** The first samples of a split, which every evaluation uses. */
export const firstSamples = (tasks: readonly EvolutionTask[], split: Split, count: number): SampleSet =>
  sampleSet(
    tasks.map((task) => ({
      task,
      indices: Array.from({ length: Math.min(count, task.size) }, (_, index) => index),
    })),
    split,
  );

function sampleSet(drawn: readonly DrawnTask[], split: Split): SampleSet {
  const samples = drawn.flatMap(({ task, indices }) =>
    indices.map((index) => ({ task: task.name, index, sample: task.sample(split, index) })),
  );
  return { drawn, samples, trials: samples.map(({ sample }) => sample.trial) };
}

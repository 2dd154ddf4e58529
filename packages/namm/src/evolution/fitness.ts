import { InputError } from '@palimpsest/base';

/** Scores of one member: per task, what it reached on each of its samples. */
export type TaskScores = Readonly<Record<string, number>>;

/** Per task and sample, what the full cache reaches. */
export type ReferenceScores = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface FitnessOptions {
  /** Scores are divided by those of the full cache on the same samples. */
  readonly reference?: ReferenceScores | undefined;
  /** Samples drawn, by task. Default: all that the reference has. */
  readonly samples?: Readonly<Record<string, readonly number[]>> | null | undefined;
  /** Without a reference, scores of tasks named `lb/…` are divided by 100 twice, as the published program does. */
  readonly parity?: boolean;
  /** The reference is in percents for all tasks, whatever they are called. Default false. */
  readonly percents?: boolean;
}

export interface Fitness {
  readonly fitness: number;
  /** What went into the mean, by task. */
  readonly normalised: TaskScores;
}

/** Keeps a reference of 0 from dividing. */
const EPSILON = 1e-7;

/** Scores of these tasks are shares per sample, those of all others percents. */
const inShares = (task: string) => task.startsWith('lb/');

/**
 * Fitness of a member: the mean over tasks of its scores, each divided by the full cache's on the same samples
 * (DERIVATION.md, "Fitness").
 * @param scores percents, the mean over the samples of each task
 */
export function fitnessOf(scores: TaskScores, options: FitnessOptions = {}): Fitness {
  const { reference, samples, parity = false, percents = false } = options;
  const normalised = Object.fromEntries(
    Object.entries(scores).map(([task, score]) => {
      if (!reference) return [task, inShares(task) || !parity ? score / 100 : score];
      const factor = !percents && inShares(task) ? 100 : 1;
      const full = factor * referenceOf(task, reference, samples?.[task]);
      // What the full cache cannot do at all would count a million times as much as everything else.
      return [task, percents && full === 0 ? score / 100 : score / (full + EPSILON)];
    }),
  );
  const values = Object.values(normalised);
  if (values.length === 0) throw new InputError('A fitness needs the score of at least one task.');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { fitness: !reference && parity ? mean / 100 : mean, normalised };
}

function referenceOf(task: string, reference: ReferenceScores, samples?: readonly number[]): number {
  const known = reference[task];
  if (!known) throw new InputError(`There is no score of the full cache for the task '${task}'.`);
  const values = (samples?.map(String) ?? Object.keys(known)).map((sample) => {
    const score = known[sample];
    if (score === undefined) {
      throw new InputError(`There is no score of the full cache for sample ${sample} of the task '${task}'.`);
    }
    return score;
  });
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

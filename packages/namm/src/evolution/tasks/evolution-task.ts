import type { Trial, TrialOutcome } from '../trial.js';

/** Samples that parameters are evolved on, chosen by, and judged on: never the same. */
export type Split = 'train' | 'validation' | 'test';

/** A sample of a task: the trial, and what its outcome is worth. */
export interface TaskSample {
  readonly trial: Trial;
  /** Between 0 and 1. */
  score(outcome: TrialOutcome): number;
}

/** Something that a cache is needed for. */
export interface EvolutionTask {
  readonly name: string;
  /** Samples of each split. */
  readonly size: number;
  /** @param index 0 to size - 1; the same index gives the same sample. */
  sample(split: Split, index: number): TaskSample;
}

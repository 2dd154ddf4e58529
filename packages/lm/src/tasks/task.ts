import { type Engine, InputError } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import type { Contestant, TrainedContestant } from './contender.js';
import type { TaskOutcomeInput } from './outcome.js';

export type TaskFamily = 'parity' | 'recall' | 'language' | 'efficiency' | 'viability' | 'library';

/** What a task gets to work with, besides its options. */
export interface TaskContext {
  readonly engine: Engine;
  /** Who is asked; absent for tasks that measure a library. */
  readonly contestant?: Contestant | undefined;
  /** Peak learning rate of those that are trained. */
  readonly learningRate: number;
  readonly seed: number;
  /** Ends the task early: it stops at its next step and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Tells how far the task is, from 0 to 1, and what it is doing. */
  progress(fraction: number, note: string): void;
}

/** One question, asked of any model (or of a library). */
export interface Task<Schema extends z.ZodObject = z.ZodObject> {
  /** Stable name, as in 'mqar'. */
  readonly name: string;
  readonly family: TaskFamily;
  readonly title: string;
  /** What is asked, and what a reader may conclude: one or two sentences. */
  readonly description: string;
  /** Options with defaults and meanings. They are parsed once, by whoever runs the task. */
  readonly options: Schema;
  /** Which contenders it can be asked of; `none` for tasks that measure a library. */
  readonly contenders: 'none' | 'trained' | 'any';
  /** The number that stands for the task in tables. */
  readonly headline: { readonly metric: string; readonly unit: string; readonly higherIsBetter: boolean };
  /** The text of every id, for a task that is made of characters: a trained model can be asked it in its own tokens. */
  readonly texts?: readonly string[];
  /** Headline of a blind guess, when there is one. */
  chance?(options: z.output<Schema>): number;
  /** Slices of its metrics that are longer or harder than anything in training, in the order in which they are asked. */
  beyondTraining?(options: z.output<Schema>): readonly Readonly<Record<string, number | string>>[];
  /** How much a model has to go through, for estimates of time; tasks whose time does not depend on tokens have none. */
  work?(options: z.output<Schema>): TaskWork;
  run(context: TaskContext, options: z.output<Schema>): Promise<TaskOutcomeInput>;
}

/** What one cell of a task goes through, tokens. */
export interface TaskWork {
  /** In training, if it does not end early. */
  readonly trained: number;
  /** In asking or reading afterwards. */
  readonly asked: number;
}

/** Keeps a task's option types while it is written down. */
export function defineTask<Schema extends z.ZodObject>(task: Task<Schema>): Task {
  return task;
}

/** The model that is asked. @throws InputError when there is none, or one that is counted. */
export function trainedContestant({ contestant }: TaskContext): TrainedContestant {
  if (contestant?.kind === 'trained') return contestant;
  throw new InputError(
    contestant
      ? `'${contestant.name}' is counted, not trained: it can only be asked to read text.`
      : 'This task needs a model to ask.',
  );
}

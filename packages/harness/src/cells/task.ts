import type { AnySequenceModel } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import type { TaskOutcomeInput } from './cell.js';

export type TaskFamily = 'parity' | 'recall' | 'language' | 'efficiency' | 'library';

/** A model that takes part in comparisons: the mechanism at a size that the cell asks for. */
export interface Contender {
  /** Stable name, as in 'transformer-window'. */
  readonly name: string;
  /** How tables and legends call it. */
  readonly title: string;
  /** The mechanism it belongs to, as in 'transformer': one colour in pictures. */
  readonly mechanism: string;
  /** One sentence. */
  readonly description: string;
  /** `trained` by gradients, or `counted` from the training text (n-gram floors). */
  readonly kind: 'trained' | 'counted';
  /** Width, layers and options of its own, with defaults and meanings. */
  readonly options: z.ZodObject;
  /** Peak learning rate when a cell names none. */
  readonly learningRate: number;
  /**
   * Makes the model; only for trained contenders.
   * @param need vocabulary, and how long texts are, for models that need a context length.
   * @throws InputError for options that are wrong or do not fit together.
   */
  create(need: ModelNeed, options: Readonly<Record<string, unknown>>): AnySequenceModel;
}

export interface ModelNeed {
  readonly vocabSize: number;
  /** Longest training sequence, tokens. */
  readonly trainLength: number;
  /** Longest text that will be read at all, tokens; at least `trainLength`. */
  readonly longestLength: number;
}

/** What a task gets to work with. */
export interface TaskContext {
  readonly engine: Engine;
  /** The task's options, parsed. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The contender and its parsed options, for tasks that need one. */
  readonly contender?: Contender;
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly learningRate: number;
  readonly seed: number;
  /** Ends the task early: it stops at its next step and throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Tells how far the task is, from 0 to 1, and what it is doing. */
  progress(fraction: number, note: string): void;
}

/** One question, asked of any model (or of a library). */
export interface Task {
  /** Stable name, as in 'mqar'. */
  readonly name: string;
  readonly family: TaskFamily;
  readonly title: string;
  /** What is asked, and what a reader may conclude: one or two sentences. */
  readonly description: string;
  /** Options with defaults and meanings. */
  readonly options: z.ZodObject;
  /** Which contenders it can be asked of; `none` for tasks that measure a library. */
  readonly contenders: 'none' | 'trained' | 'any';
  /** The number that stands for the task in tables. */
  readonly headline: { readonly metric: string; readonly unit: string; readonly higherIsBetter: boolean };
  /** Headline of a blind guess, when there is one. */
  chance?(options: Readonly<Record<string, unknown>>): number;
  run(context: TaskContext): Promise<TaskOutcomeInput>;
}

/** What can be put into a cell. Whoever runs cells is given one, so that tests can bring their own. */
export interface EvaluationRegistry {
  readonly tasks: readonly Task[];
  readonly contenders: readonly Contender[];
}

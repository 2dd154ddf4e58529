import type { z } from 'zod';
import type { Trainer } from '../architecture.js';
import type { AnySequenceModel, JsonObject } from '../sequence-model.js';
import { type TrainOptions, train } from '../training/train.js';
import type { TrainingEvent } from '../training/training-event.js';

export interface ModelNeed {
  readonly vocabSize: number;
  /** Longest training sequence, tokens. */
  readonly trainLength: number;
  /** Longest text that will be read at all, tokens; at least `trainLength`. */
  readonly longestLength: number;
}

interface ContenderFacts<Schema extends z.ZodObject> {
  /** Stable name, as in 'transformer-window'. */
  readonly name: string;
  /** How tables and legends call it. */
  readonly title: string;
  /** The mechanism it belongs to, as in 'transformer': one colour in pictures. */
  readonly mechanism: string;
  /** One sentence. */
  readonly description: string;
  /** Width, layers and options of its own, with defaults and meanings. */
  readonly options: Schema;
}

/** A model that learns from examples: the mechanism at a size that the cell asks for. */
export interface TrainedContender<Schema extends z.ZodObject = z.ZodObject> extends ContenderFacts<Schema> {
  readonly kind: 'trained';
  /** Peak learning rate when a cell names none. */
  readonly learningRate: number;
  /** Whether the profile that `npm start` runs, of a few minutes, has it too. Default true */
  readonly quick?: boolean | undefined;
  /**
   * What a search tries besides learning rates: at most three options by name, each with a few values, so that everyone is
   * searched in a space of about the same size.
   */
  readonly search?: Readonly<Record<string, readonly (string | number | boolean)[]>> | undefined;
  /** In place of the training loop of lm, with its default options. */
  readonly trainer?: Trainer | undefined;
  /** Options at which it stands in pictures of recall against bytes, where that is not the width. */
  readonly memorySizes?: readonly Readonly<Record<string, number>>[] | undefined;
  /**
   * Options at which it has as many parameters as the others within 5 %, for tables that compare mechanisms, not sizes:
   * 118,000 beside 49 ids. Default: its default options
   */
  readonly parameterMatched?: Readonly<Record<string, number>> | undefined;
  /** @throws InputError for options that are wrong or do not fit together. */
  create(need: ModelNeed, options: z.output<Schema>): AnySequenceModel;
  /** The model that learns, where the one that is asked has its parameters and another memory. Default: what `create` gives */
  learner?(need: ModelNeed, options: z.output<Schema>): AnySequenceModel;
}

/** What was counted, ready to be asked. */
export interface CountedModel {
  readonly config: JsonObject;
  /** Mean loss of a text, nats per token. */
  loss(ids: Int32Array): number;
}

/** A table that is counted from a training text, without gradients: the floor that a model must beat. */
export interface CountedContender<Schema extends z.ZodObject = z.ZodObject> extends ContenderFacts<Schema> {
  readonly kind: 'counted';
  count(ids: Int32Array, vocabSize: number, options: z.output<Schema>): CountedModel;
}

/** What takes part in comparisons. */
export type Contender<Schema extends z.ZodObject = z.ZodObject> =
  | TrainedContender<Schema>
  | CountedContender<Schema>;

/** Keeps a contender's option types while it is written down. */
export function defineContender<Schema extends z.ZodObject>(
  contender: TrainedContender<Schema> | CountedContender<Schema>,
): Contender {
  return contender;
}

interface ContestantFacts {
  readonly name: string;
  /** Every option, decided, to be told in reports. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface TrainedContestant extends ContestantFacts {
  readonly kind: 'trained';
  readonly trainer?: Trainer | undefined;
  create(need: ModelNeed): AnySequenceModel;
  /** The model that learns, where it is another than the one that is asked. */
  readonly learner?: ((need: ModelNeed) => AnySequenceModel) | undefined;
}

export interface CountedContestant extends ContestantFacts {
  readonly kind: 'counted';
  count(ids: Int32Array, vocabSize: number): CountedModel;
}

/** A contender whose options are decided: what a task gets to see of it. */
export type Contestant = TrainedContestant | CountedContestant;

/** @param options as the contender's schema gave them */
export function contestantOf(contender: Contender, options: Readonly<Record<string, unknown>>): Contestant {
  const { name } = contender;
  if (contender.kind === 'counted') {
    const count = (ids: Int32Array, vocabSize: number) => contender.count(ids, vocabSize, options);
    return { kind: 'counted', name, options, count };
  }
  const { trainer } = contender;
  return {
    kind: 'trained',
    name,
    options,
    trainer,
    create: (need) => contender.create(need, options),
    learner: contender.learner && ((need) => contender.learner!(need, options)),
  };
}

/** How a contestant learns: by the training loop, or by its own trainer with that trainer's default options. */
export function trainerOf({
  trainer,
}: {
  readonly trainer?: Trainer | undefined;
}): (run: TrainOptions) => AsyncGenerator<TrainingEvent, void, undefined> {
  return trainer ? (run) => trainer.train(run, trainer.options.parse({})) : train;
}

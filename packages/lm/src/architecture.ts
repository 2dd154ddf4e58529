import type { z } from 'zod';
import type { RunData } from './data/run-data.js';
import type { AnySequenceModel, JsonObject } from './sequence-model.js';
import type { Tokenizer } from './tokenizers/tokenizer.js';
import type { TrainOptions } from './training/train.js';
import type { TrainingEvent } from './training/training-event.js';
import { type TrainingOptions, trainingSchema } from './training/training-settings.js';

/** How a preset is trained and what it reads, where that differs from the defaults. */
export type TrainingRecipe = TrainingOptions & Partial<RunData>;

/** The part of a recipe that is settings of the training loop; the rest says what is read. */
export function settingsOfRecipe(recipe: TrainingRecipe = {}): TrainingOptions {
  return Object.fromEntries(Object.entries(recipe).filter(([key]) => key in trainingSchema.shape));
}

/** A ready-made configuration with the training that belongs to it. */
export interface Preset {
  /** One sentence. */
  readonly description: string;
  readonly recipe?: TrainingRecipe | undefined;
}

/** A preset, and what of its recipe is different for the text at hand. */
export interface UsualTraining {
  readonly preset: string;
  readonly recipe?: TrainingRecipe;
}

/**
 * Steps of a training within a bound, and no more than so many passes over a text: what is read too often is learned by heart.
 * @param tokensPerStep windows times their length
 */
export function stepsOfPasses(
  characters: number,
  passes: number,
  tokensPerStep: number,
  most: number,
): number {
  return Math.max(1, Math.min(most, Math.ceil((passes * characters) / tokensPerStep)));
}

/** Parameters that can be excluded from learning by name. */
export interface ParameterSet {
  /** Paths of the parameters. */
  readonly match: RegExp;
  /** One sentence. */
  readonly description: string;
  /** Name of a switch that excludes them, where the reference program has one, as in `freezePhase`. */
  readonly flag?: string;
}

/** A trained model with everything around it, as another model is made over it. */
export interface BaseModel {
  readonly folder: string;
  readonly model: AnySequenceModel;
  /** On the host. */
  readonly params: unknown;
  /** Names the parameters, when their file states a checksum. */
  readonly parametersId?: string;
  readonly tokenizer?: Tokenizer;
}

/** Opens a folder that holds a model: a checkpoint, a run, or weights from elsewhere. */
export type OpenModel = (folder: string) => Promise<BaseModel>;

/** Learning by other means than the gradient of the next token's loss: evolution, counting, closed forms. */
export interface Trainer<Schema extends z.ZodObject = z.ZodObject> {
  /** Settings besides those of every training run, with defaults and meanings. */
  readonly options: Schema;
  /** Keeps the promises of lm's `train`: its events, exact resume, saving at the signal. */
  train(run: TrainOptions, options: z.output<Schema>): AsyncGenerator<TrainingEvent, void, undefined>;
}

/** A kind of model that can be made by name: for training, and from the configuration in a checkpoint. */
export interface Architecture<Schema extends z.ZodObject = z.ZodObject> {
  /** `SequenceModel.name` of its models. */
  readonly name: string;
  /** Half a sentence that follows "train". */
  readonly description: string;
  /** Every option but the vocabulary size, with defaults and meanings; those without a default depend on others. */
  readonly options: Schema;
  /** Ready-made configurations by name; the first is used when none is asked for. */
  readonly presets: Readonly<Record<string, Preset>>;
  /**
   * What is trained when neither a preset nor an option of the model is asked for: the best for a text of so many characters
   * within about five minutes on two cores. Default: the first preset.
   */
  usual?(characters: number): UsualTraining;
  /** Other spellings of options, as the reference program has them, by option. */
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  /** Flags of the reference program that change nothing here: each with `.meta({ description, inert: why })`. */
  readonly inertFlags?: Readonly<Record<string, z.ZodType>>;
  readonly parameterSets?: Readonly<Record<string, ParameterSet>>;
  /** Options that have the name and the meaning of a flag of generation: a checkpoint stores them, generation goes by them. */
  readonly speakingOptions?: readonly string[];
  /** Options of low-rank adapters (`rank`, `alpha`, `targets`), for models that can have them beside weights that others trained. */
  readonly lora?: z.ZodObject;
  /** In place of the training loop of lm. */
  readonly trainer?: Trainer;
  /** `required`: the model is made over another one, whose weights it reads and does not change. */
  readonly base?: 'required';
  /**
   * Makes a model.
   * @param options what shall differ from the preset.
   * @param preset a name in `presets`.
   * @param base the model that it is made over, for an architecture that requires one.
   * @throws InputError for options that are wrong or do not fit together, or a preset that does not exist.
   */
  create(
    vocabSize: number,
    options: Partial<z.output<Schema>>,
    preset?: string,
    base?: BaseModel,
  ): AnySequenceModel;
  /**
   * Makes the model that a checkpoint's configuration describes.
   * @param open gives access to the model that the configuration names as its base.
   */
  restore(config: JsonObject, open?: OpenModel): AnySequenceModel | Promise<AnySequenceModel>;
}

/** Keeps an architecture's option types while it is written down. */
export function defineArchitecture<Schema extends z.ZodObject>(
  architecture: Architecture<Schema>,
): Architecture {
  return architecture;
}

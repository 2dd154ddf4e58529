import type { AnySequenceModel, JsonObject, TrainingOptions } from '@palimpsest/lm';
import type { z } from 'zod';
import type { RunData } from '../runs/run-data.js';

/** How a model is trained and what it reads, where that differs from the defaults. */
export type TrainingPreset = TrainingOptions & Partial<RunData>;

/** A kind of model that can be made by name: for training, and from the configuration in a checkpoint. */
export interface Architecture {
  /** `SequenceModel.name` of its models. */
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  /** Every option but the vocabulary size, with defaults and meanings; those without a default depend on others. */
  readonly options: z.ZodObject;
  /** Names of ready-made configurations; the first is used when none is asked for. */
  readonly presets: readonly string[];
  /** Parameters that can be excluded from learning by name, as patterns of their paths. */
  readonly parameterSets: Readonly<Record<string, RegExp>>;
  /** Settings of the training around a model that belong to a preset, by the preset's name. */
  readonly training?: Readonly<Record<string, TrainingPreset>>;
  /**
   * Makes a model.
   * @param options what shall differ from the preset.
   * @throws InputError for options that are wrong or do not fit together.
   */
  create(vocabSize: number, options: Readonly<Record<string, unknown>>, preset?: string): AnySequenceModel;
  /** Makes the model that a checkpoint's configuration describes. */
  restore(config: JsonObject): AnySequenceModel;
}

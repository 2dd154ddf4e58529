import { defineArchitecture, defineContender, type Mechanism, type TrainedContender } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { createControlModel } from './control-model.js';
import type { Mixer, Stack } from './mixers/mixer.js';

/** Options that every control has. */
type StackSchema = z.ZodObject<{
  width: z.ZodDefault<z.ZodInt>;
  layers: z.ZodDefault<z.ZodInt>;
}>;

/** A control: the name, the options and the mixer of its blocks. */
export interface Control<Schema extends StackSchema = StackSchema>
  extends Pick<Mechanism, 'name' | 'title' | 'description' | 'memory'> {
  readonly options: Schema;
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Options that a search tries. */
  readonly search?: TrainedContender['search'];
  /** Options with as many parameters as the others, see contenders. */
  readonly parameterMatched?: TrainedContender['parameterMatched'];
  /** Whether the quick profile has it. Default false */
  readonly quick?: boolean;
  mixer(stack: Stack, options: z.output<Schema>): Mixer;
}

/** Two blocks over a stream of characters, the memory carried from window to window. */
const smallTraining = { steps: 2000, batchSize: 12, seqLen: 64, warmupSteps: 100 };

/** The card of a control: it takes part in comparisons, can be trained and be loaded. */
export function controlMechanism<Schema extends StackSchema>(control: Control<Schema>): Mechanism {
  const { name, title, description, memory, options: schema, learningRate } = control;
  const make = (vocabSize: number, options: z.output<Schema>) => {
    const frame = { vocabSize, ...shapeOf(options) };
    return createControlModel(
      name,
      { vocabSize, ...z.record(z.string(), z.json()).parse(options) },
      frame,
      control.mixer(frame, options),
    );
  };
  const parse = (options: unknown): z.output<Schema> => {
    const parsed = schema.safeParse(options);
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.error.issues[0]!;
    throw new InputError(
      `The options of ${title} are wrong${path.length > 0 ? ` at '${path.join('.')}'` : ''}: ${message}.`,
    );
  };
  return {
    name,
    title,
    description,
    memory,
    isControl: true,
    architectures: [
      defineArchitecture({
        name,
        description: `${title}: a control, small and exact`,
        options: schema,
        presets: {
          small: {
            description: 'two blocks of 64 channels, for characters read as one stream',
            recipe: { ...smallTraining, learningRate, reading: 'lanes' },
          },
        },
        create(vocabSize, options, preset = 'small') {
          if (preset !== 'small') {
            throw new InputError(`${title} has no preset '${preset}'; there is one, small.`);
          }
          return make(vocabSize, parse(options));
        },
        restore({ vocabSize, ...options }) {
          const size = z.int().min(1).safeParse(vocabSize);
          if (!size.success) {
            throw new InputError(
              `The vocabSize of ${title} is a positive integer, but it is ${JSON.stringify(vocabSize)}.`,
            );
          }
          return make(size.data, parse(options));
        },
      }),
    ],
    contenders: [
      defineContender({
        name,
        title,
        mechanism: name,
        description,
        kind: 'trained',
        options: schema,
        learningRate,
        search: control.search,
        parameterMatched: control.parameterMatched,
        quick: control.quick ?? false,
        create: ({ vocabSize }, options) => make(vocabSize, options),
      }),
    ],
  };
}

/** What the frame takes of a control's options. */
const shape = z.object({
  width: z.int(),
  layers: z.int(),
  blocks: z.enum(['residual', 'plain']).default('residual'),
  hidden: z.int().optional(),
});
const shapeOf = (options: unknown) => shape.parse(options);

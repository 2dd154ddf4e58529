import {
  type LoraOptions,
  type MetricsFormat,
  measureStep,
  type NewRun,
  openLanguageModel,
  type Registry,
  type TrainRunOptions,
  trainRun,
} from '@palimpsest/harness';
import { type Architecture, corpusText, loadCorpus, runDataSchema, type TrainingEvent } from '@palimpsest/lm';
import { createEngine, type Engine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { fineTunedStart, fineTuningSettings, isFineTuning, refuseDecided } from '../options/fine-tuned.js';
import { loraFlags, loraOf } from '../options/lora.js';
import { RUNS } from '../options/pretrained.js';
import { folderOf, resumedRun } from '../options/resumed.js';
import { samplingAliases, samplingOptions } from '../options/sampling.js';
import { frozenSets, runOptions, settingsOf, trainingAliases, trainingOptions } from '../options/training.js';
import { refuseUseless } from '../options/useless.js';
import { speak } from '../speak.js';
import { type LiveTraining, openLiveTraining } from '../terminal/live-page.js';
import { createTrainingReport } from '../terminal/training-report.js';
import { defineVerb, type Verb, type VerbContext } from '../verb.js';

/** `palimpsest train <model>`: one verb for every architecture. */
export const trainVerbs = ({ architectures }: Registry): Verb[] => architectures.map(trainVerb);

function trainVerb(architecture: Architecture): Verb {
  refuseClashes(architecture);
  const {
    name,
    description,
    options: modelOptions,
    presets,
    aliases,
    inertFlags,
    trainer,
    base,
    lora,
  } = architecture;
  const presetNames = Object.keys(presets);
  const modelKeys = Object.keys(modelOptions.shape);
  return defineVerb({
    path: ['train', name],
    description: `train ${description}`,
    aliases: { ...trainingAliases, ...samplingAliases, ...aliases },
    schema: z.object({
      ...withDefaults({ ...runOptions, ...trainingOptions }, presets[presetNames[0]!]?.recipe),
      ...samplingOptions,
      ...optionalShape(modelOptions),
      ...trainer?.options.shape,
      ...(base === 'required' ? baseOption : {}),
      ...freezeFlags(architecture),
      ...loraFlags(architecture),
      ...inertFlags,
      ...engineOptions,
      ...outputOptions,
    }) as z.ZodObject,
    presets: Object.fromEntries(presetNames.map((preset) => [preset, { ...presets[preset]?.recipe }])),
    presetHelp: Object.fromEntries(presetNames.map((preset) => [preset, presets[preset]!.description])),
    basic: [...BASIC, ...(base === 'required' ? ['base'] : []), ...(lora ? ['lora'] : [])],
    usual: (options: Values, asked) => usualTraining(architecture, modelKeys, options, asked),
    examples: [
      `palimpsest train ${name} --text-path my.txt`,
      `palimpsest train ${name} --minutes 20 --preset ${presetNames.at(-1)}`,
      `palimpsest train ${name} --load runs/my-run --steps 2000`,
    ],
    async run(options: Values, context) {
      if (!options.train) return generateOnly(options, context);
      const finished = context.interrupts.saves();
      const engine = await createEngine(options.engine as 'auto', engineSettings(options));
      try {
        const lora = loraOf(options, context.asked);
        const isNew = options.load === undefined || isFineTuning(options);
        const run = isNew
          ? await planned(
              engine,
              await newRun(architecture, modelKeys, options, lora, context),
              options,
              context,
            )
          : await resumedRun(architecture, modelKeys, options, context);
        const own = isNew ? `${RUNS}/${name}-${timeStamp()}` : folderOf(options.load as string);
        const folder = (options.out ?? own) as string;
        const { signal, registry } = context;
        const onRemark = (remark: string) => context.output.note(`warning: ${remark}`);
        const metrics = options.metrics as MetricsFormat[] | undefined;
        const live = options.open === true ? await openLiveTraining(folder, context.output) : undefined;
        return await follow({ engine, folder, run, metrics, signal, registry, onRemark }, context, live);
      } finally {
        await engine.dispose();
        finished();
      }
    },
  });
}

/** What most people set; `--help-all` shows the rest. */
const BASIC = [
  ...[
    'textPath',
    'dataset',
    'tokenizer',
    'out',
    'load',
    'prompt',
    'minutes',
    'steps',
    'learningRate',
    'batchSize',
    'seqLen',
  ],
  ...[
    'reading',
    'validateEvery',
    'sampleEvery',
    'checkpointEvery',
    'open',
    'seed',
    'engine',
    'threads',
    'json',
    'quiet',
  ],
];

/** The preset for the text, unless the user says what the model or the run shall be. */
function usualTraining(
  { usual, presets }: Architecture,
  modelKeys: readonly string[],
  options: Values,
  asked: ReadonlySet<string>,
) {
  const isTwoTexts = asked.has('textPath') && asked.has('dataset');
  const describesModel = modelKeys.some((key) => asked.has(key));
  if (!usual || options.load !== undefined || describesModel || isTwoTexts) return undefined;
  const text = loadCorpus(
    (options.textPath ?? options.dataset) as string,
    runDataSchema.parse(options).layout,
  );
  const { preset, recipe } = usual(corpusText(text).length);
  return { preset, values: { ...presets[preset]?.recipe, ...recipe } };
}

/** The run with as many steps as fit into the minutes that were given. */
async function planned(
  engine: Engine,
  run: NewRun,
  { minutes, steps }: Values,
  { output, asked, preset, usual }: VerbContext,
): Promise<NewRun> {
  if (usual === true)
    output.note(
      `preset ${preset}, the usual one for this text: ${run.architecture.presets[preset!]?.description}`,
    );
  if (typeof minutes !== 'number') return run;
  if (asked.has('steps')) {
    throw new InputError(`Give --steps or --minutes, not both: ${String(steps)} steps, or as many as fit.`);
  }
  const secondsPerStep = await measureStep(engine, run);
  const fitting = Math.max(1, Math.floor((minutes * 60 * SHARE_OF_STEPS) / secondsPerStep));
  output.note(`plan: ${fitting} steps of ${secondsPerStep.toPrecision(2)} s in ${minutes} minutes`);
  return { ...run, settings: { ...run.settings, steps: fitting } };
}

/** What the steps may take of the time; the rest is for starting, validation, samples and checkpoints. */
const SHARE_OF_STEPS = 0.9;

/**
 * One flag may not mean two things.
 * @throws InputError for an option of the model that is also one of the run, of training or of drawing.
 */
function refuseClashes({ name, options, trainer, speakingOptions = [] }: Architecture): void {
  const taken = { ...runOptions, ...trainingOptions, ...samplingOptions, ...engineOptions, ...outputOptions };
  const own = [...Object.keys(options.shape), ...Object.keys(trainer?.options.shape ?? {})];
  const clash = own.find((key) => key in taken && !speakingOptions.includes(key));
  if (clash === undefined) return;
  throw new InputError(
    `The architecture '${name}' has an option '${clash}', but 'train' has one of that name already; rename it.`,
  );
}

const baseOption = {
  base: z.string().optional().meta({
    description: 'run folder, checkpoint, Hugging Face folder or GGUF file of the model that it is made over',
    value: 'folder',
  }),
};

/** The options of a model as a user may give them: those without a default follow from others when they are missing. */
function optionalShape(options: z.ZodObject): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(options.shape as Record<string, z.ZodType>).map(([key, type]) => [
      key,
      type instanceof z.ZodDefault ? type : type.optional(),
    ]),
  );
}

/** Switches that exclude a set of parameters from learning. */
function freezeFlags({ parameterSets = {} }: Architecture): z.ZodRawShape {
  return Object.fromEntries(
    Object.values(parameterSets).flatMap(({ flag, description }) =>
      flag === undefined
        ? []
        : [
            [
              flag,
              z
                .boolean()
                .default(false)
                .meta({ description: `leave ${description} as they are` }),
            ],
          ],
    ),
  );
}

type Values = Readonly<Record<string, unknown>>;

/** Options whose defaults are those of the preset that is used when none is asked for. */
function withDefaults(shape: z.ZodRawShape, defaults: Values = {}): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(shape as Record<string, z.ZodType>).map(([key, type]) => [
      key,
      key in defaults ? type.default(defaults[key]).meta({ ...type.meta() }) : type,
    ]),
  );
}

async function newRun(
  architecture: Architecture,
  modelKeys: readonly string[],
  options: Values,
  lora: LoraOptions | undefined,
  context: VerbContext,
) {
  const fineTunes = isFineTuning(options);
  if (fineTunes) refuseDecided(options.load as string, modelKeys, context);
  refuseUseless(options, context.asked);
  const chosen = modelKeys.filter((key) => context.given.has(key));
  const pretrained = fineTunes
    ? await fineTunedStart(architecture, modelKeys, options, lora, context)
    : undefined;
  const settings = settingsOf(options);
  return {
    architecture,
    preset: context.preset,
    modelOptions: Object.fromEntries(chosen.map((key) => [key, options[key]])),
    text: (options.textPath ?? options.dataset) as string,
    data: runDataSchema.parse(options),
    settings: pretrained ? fineTuningSettings(settings, pretrained, context) : settings,
    trainerOptions: architecture.trainer?.options.strip().parse(options),
    base:
      architecture.base === 'required'
        ? await openLanguageModel(baseOf(architecture, options), context.registry)
        : undefined,
    frozen: frozenSets(architecture, options),
    pretrained,
  };
}

/** The folder of the model that another one is made over. @throws InputError when there is none. */
function baseOf({ name }: Architecture, { base }: Values): string {
  if (typeof base === 'string') return base;
  throw new InputError(`'${name}' is made over another model: give the folder of that one as --base.`);
}

/** `--no-train`: what the reference program does with a checkpoint and a prompt. */
function generateOnly(options: Values, context: VerbContext): Promise<ExitCode> {
  if (options.open === true) {
    throw new InputError(
      '--open shows a run that trains, and --no-train trains nothing; leave one of them out.',
    );
  }
  if (options.load === undefined) {
    throw new InputError('--no-train needs --load with a run folder: there is nothing to generate from.');
  }
  return speak(options.load as string, options, context, {
    interactive: options.interactive === true,
    conversation: false,
    emptyLine: 'hello ',
  });
}

/** Shows the events of a run as they come. */
async function follow(
  options: TrainRunOptions,
  { output }: VerbContext,
  live?: LiveTraining,
): Promise<ExitCode> {
  const report = createTrainingReport(output, options.folder);
  let last: TrainingEvent | undefined;
  try {
    for await (const event of trainRun(options)) {
      report.show(event);
      await live?.show(event);
      last = event;
    }
  } catch (error) {
    live?.fail(error);
    throw error;
  } finally {
    report.stop();
    await live?.close();
  }
  report.finish();
  return last?.type === 'interrupted' ? ExitCode.interrupted : ExitCode.ok;
}

/** Local time as `2026-11-24-153012`. */
function timeStamp(): string {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  return `${local.slice(0, 10)}-${local.slice(11, 19).replaceAll(':', '')}`;
}

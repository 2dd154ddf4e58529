import { nodeModule } from '@palimpsest/base';
import { type BpeTokenizer, loadCheckpoint, type TrainingEvent, train, trainingSchema } from '@palimpsest/lm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { OmOptions } from '../config.js';
import { packDocuments } from '../data/packing.js';
import { specialId, tokenizerWithSpecials } from '../data/special-tokens.js';
import { contextIds } from '../plan.js';
import { type OmFlags, optionsFromFlags } from '../presets.js';
import { createOmModel, type OmModel } from '../sequence-model.js';
import { jsonFiles, readGiven, readJson } from './json-files.js';
import { PackedSamples, type Samples } from './packed-samples.js';

const fileSystem = () => nodeModule('node:fs');
const paths = () => nodeModule('node:path');

const count = z.int().min(1);

/** `data.json`: preprocessed folders with their shares of every batch. */
const dataSchema = z.strictObject({
  sources: z.array(z.strictObject({ folder: z.string(), proportion: z.int().min(0) })).min(1),
});
/** `model.json`: a preset and what differs from it, as flags have it. */
const modelSchema = z.strictObject({
  preset: z.string().default('small'),
  options: z.record(z.string(), z.unknown()).default({}),
});
/** `training.json`: settings of every stage, and what each stage has of its own. */
const stageSchema = trainingSchema.partial().extend({
  /** Segments of a sample. */
  segments: count,
  batchSize: count,
});
const trainingFile = z.strictObject({
  settings: trainingSchema.partial().optional(),
  stages: z.array(stageSchema).min(1),
});
/** `paths.json`: where the stages are kept. */
const pathsSchema = z.strictObject({ checkpoints: z.string() });

export interface StageEvent {
  /** From 0 on, and how many there are. */
  readonly stage: number;
  readonly stages: number;
  /** Absent: the stage was done before, and is passed over. */
  readonly event?: TrainingEvent;
}

const FINAL = 'FINAL.json';

/**
 * Pretrains in stages of growing length, from a folder of four files: data.json, model.json, training.json, paths.json. A stage
 * that is done is passed over, one that was interrupted goes on exactly, a new one begins with the weights of the one before.
 * @throws InputError for a file that is missing or does not fit.
 */
export async function* pretrain(
  engine: Engine,
  folder: string,
  signal?: AbortSignal,
): AsyncGenerator<StageEvent, void, undefined> {
  const at = (file: string) => paths().join(folder, file);
  const data = readJson(at('data.json'), dataSchema);
  const { preset, options } = readJson(at('model.json'), modelSchema);
  const { settings, stages } = readGiven(at('training.json'), trainingFile);
  const { checkpoints } = readJson(at('paths.json'), pathsSchema);
  const folders = data.sources.map((source) => paths().resolve(folder, source.folder));
  const tokenizer = tokenizerWithSpecials(readJson(paths().join(folders[0]!, 'tokenizer.json'), z.unknown()));
  const flags = { ...options, padId: specialId(tokenizer, '<|pad|>') } as OmFlags;
  const model = createOmModel(optionsFromFlags(tokenizer.vocabSize, flags, preset));
  const stageFolder = (stage: number) => paths().join(paths().resolve(folder, checkpoints), `stage${stage}`);
  const models = { 'om-arc': (config: unknown) => createOmModel(config as OmOptions) as never };
  for (const [stage, { segments, batchSize, ...own }] of stages.entries()) {
    const place = stageFolder(stage);
    if (fileSystem().existsSync(paths().join(place, FINAL))) {
      yield { stage, stages: stages.length };
      continue;
    }
    const samples = folders.map((source) => samplesOf(source, stage, model, segments, tokenizer));
    const source = new PackedSamples(samples, {
      batch: batchSize,
      proportions: data.sources.map(({ proportion }) => proportion),
      numPad: contextIds(model.options),
    });
    const isBegun = fileSystem().existsSync(paths().join(place, 'latest'));
    const resume = isBegun ? await loadCheckpoint(place, models) : undefined;
    const before = stage > 0 && !resume ? await loadCheckpoint(stageFolder(stage - 1), models) : undefined;
    const run = train({
      engine,
      model: model as never,
      source,
      settings: { ...settings, ...own },
      tokenizer,
      folder: place,
      resume,
      params: before?.params,
      signal,
    });
    let isDone = false;
    for await (const event of run) {
      yield { stage, stages: stages.length, event };
      isDone = event.type === 'end';
      if (event.type === 'end')
        fileSystem().writeFileSync(
          paths().join(place, FINAL),
          `${JSON.stringify({ step: event.step, tokens: event.tokens })}\n`,
        );
    }
    if (!isDone) return;
  }
}

/** Samples of a stage from the bin of its number, or the last bin. */
function samplesOf(
  folder: string,
  stage: number,
  model: OmModel,
  segments: number,
  tokenizer: BpeTokenizer,
): Samples {
  const bins = fileSystem().existsSync(folder)
    ? fileSystem()
        .readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    : [];
  const bin = bins[Math.min(stage, bins.length - 1)];
  if (bin === undefined) throw new InputError(`'${folder}' holds no bins; run preprocess on it first.`);
  const documents = z.array(
    z.array(
      z
        .int()
        .min(0)
        .max(tokenizer.vocabSize - 1),
    ),
  );
  const files = jsonFiles(paths().join(folder, bin)).map((file) => readJson(file, documents));
  const numPad = contextIds(model.options);
  const sampleLength = numPad + 1 + segments * model.options.segmentLen;
  return [...packDocuments(files, { sampleLength, numPad, padId: model.options.padId })];
}

/** Contents of the four files for a start. */
export function configTemplates(): Readonly<Record<string, unknown>> {
  return {
    'data.json': {
      sources: [
        { folder: 'data/web', proportion: 7 },
        { folder: 'data/code', proportion: 1 },
      ],
    },
    'model.json': { preset: 'small', options: {} },
    'training.json': {
      settings: {
        optimizer: 'schedule-free-radam',
        schedule: 'constant',
        learningRate: 1e-3,
        weightDecay: 0.1,
        steps: 1000,
        checkpointSeconds: 3600,
      },
      stages: [
        { segments: 4, batchSize: 8, accumulate: 2 },
        { segments: 8, batchSize: 4, accumulate: 4 },
        { segments: 16, batchSize: 2, accumulate: 8 },
      ],
    },
    'paths.json': { checkpoints: 'stages' },
  };
}

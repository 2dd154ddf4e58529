import {
  type AnySequenceModel,
  type LoadedCheckpoint,
  loadCorpus,
  type TrainingEvent,
  type TrainingOptions,
  train,
} from '@palimpsest/lm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { Architecture } from '../models/architecture.js';
import { architectureOf } from '../models/architectures.js';
import { type PreparedText, prepareText, type RunData, runDataSchema } from './run-data.js';
import { RunFolder } from './run-folder.js';

export interface NewRun {
  readonly architecture: Architecture;
  readonly preset?: string;
  /** What shall differ from the preset. */
  readonly modelOptions: Readonly<Record<string, unknown>>;
  /** Name of a built-in corpus, a text file, or a folder of text files. */
  readonly text: string;
  readonly data: RunData;
  readonly settings: TrainingOptions;
  /** Names of parameter sets of the architecture that shall not learn. */
  readonly frozen?: readonly string[];
}

export interface ResumedRun {
  readonly checkpoint: LoadedCheckpoint;
  /** What shall differ from the settings of the run so far. */
  readonly settings: TrainingOptions;
}

export interface TrainRunOptions {
  readonly engine: Engine;
  /** Run folder: checkpoints, metrics, learning curve. */
  readonly folder: string;
  readonly run: NewRun | ResumedRun;
  readonly signal?: AbortSignal;
}

interface PreparedRun extends PreparedText {
  readonly model: AnySequenceModel;
  readonly corpus: string;
  /** Stored with every checkpoint: what a resumed run needs besides the checkpoint's own data. */
  readonly notes: RunNotes;
}

const notesSchema = z.object({
  text: z.string(),
  data: runDataSchema,
  seed: z.number(),
  frozen: z.array(z.string()),
});
type RunNotes = z.output<typeof notesSchema>;

/**
 * Trains a model on a text into a run folder, or goes on with a run exactly where it stopped. Gives the events of the
 * training loop; every one of them is also a line of `metrics.jsonl`, and the end draws the learning curve.
 *
 * @throws InputError for options that do not fit, or a folder that holds another run.
 */
export async function* trainRun(options: TrainRunOptions): AsyncGenerator<TrainingEvent, void, undefined> {
  const { engine, run, signal } = options;
  const resume = 'checkpoint' in run ? run.checkpoint : undefined;
  const { model, corpus, notes, ...text } =
    'checkpoint' in run ? prepareResumed(run.checkpoint) : prepareNew(run);
  const folder = new RunFolder(options.folder, { resumed: resume !== undefined });
  const events = train({
    engine,
    model,
    ...text,
    settings: run.settings,
    folder: folder.path,
    notes,
    ...(resume ? { resume } : {}),
    ...(signal ? { signal } : {}),
  });
  for await (const event of events) {
    folder.record(event);
    yield event;
  }
  await folder.drawCurve(`${model.name} on ${corpus}`);
}

function prepareNew(run: NewRun): PreparedRun {
  const { architecture, preset, modelOptions, text, data, settings, frozen = [] } = run;
  const corpus = loadCorpus(text, data.layout);
  const seed = settings.seed ?? 0;
  const prepared = prepareText(corpus, data, seed);
  const model = architecture.create(prepared.tokenizer.vocabSize, modelOptions, preset);
  const notes = { text, data, seed, frozen: [...frozen] };
  return { ...prepared, model: withFrozen(model, architecture, frozen), corpus: corpus.name, notes };
}

function prepareResumed(checkpoint: LoadedCheckpoint): PreparedRun {
  const { model, tokenizer, folder } = checkpoint;
  const parsed = notesSchema.safeParse(checkpoint.notes);
  if (!parsed.success || !tokenizer) {
    throw new InputError(
      `The checkpoint '${folder}' does not say what its run read, so the run cannot go on.`,
    );
  }
  const notes = parsed.data;
  const corpus = loadCorpus(notes.text, notes.data.layout);
  const frozen = withFrozen(model, architectureOf(model.name), notes.frozen);
  return {
    ...prepareText(corpus, notes.data, notes.seed, tokenizer),
    model: frozen,
    corpus: corpus.name,
    notes,
  };
}

/** The model with some of its parameter sets excluded from learning. */
function withFrozen(
  model: AnySequenceModel,
  { name, parameterSets }: Architecture,
  frozen: readonly string[],
): AnySequenceModel {
  if (frozen.length === 0) return model;
  const groups = frozen.map((set) => {
    const match = parameterSets[set];
    if (match) return { match, frozen: true };
    throw new InputError(
      `'${name}' has no parameter set '${set}' to freeze; it has ${Object.keys(parameterSets).join(', ')}.`,
    );
  });
  return { ...model, parameterGroups: () => [...groups, ...(model.parameterGroups?.() ?? [])] };
}

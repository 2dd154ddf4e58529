import {
  type AnySequenceModel,
  type Architecture,
  loadCorpus,
  type PreparedText,
  prepareText,
  type RunData,
  type TrainingEvent,
  type TrainingOptions,
  train,
  withFrozen,
} from '@palimpsest/lm';
import { type Engine, whileBusy } from '@palimpsest/tensor-core';
import { architectureOf } from '../models/architectures.js';
import { type ResumedRun, resumeText } from './resume-run.js';
import { RunFolder } from './run-folder.js';
import { type RunNotes, storedText } from './run-notes.js';
import { textIdentity } from './text-identity.js';

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

/**
 * Trains a model on a text into a run folder, or goes on with a run exactly where it stopped. Gives the events of the
 * training loop; every one of them is also a line of `metrics.jsonl`, and the end draws the learning curve.
 *
 * @throws InputError for options that do not fit, or a folder that holds another run.
 */
export async function* trainRun(options: TrainRunOptions): AsyncGenerator<TrainingEvent, void, undefined> {
  const { engine, run, signal } = options;
  const resume = 'checkpoint' in run ? run.checkpoint : undefined;
  const origin = resume ? { from: resume.folder } : {};
  // Before the text is read, which can take long.
  RunFolder.check(options.folder, origin);
  const { model, corpus, notes, ...text } = await whileBusy(() =>
    'checkpoint' in run ? prepareResumed(run) : prepareNew(run),
  );
  const folder = new RunFolder(options.folder, origin);
  try {
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
  } finally {
    folder.close();
  }
}

function prepareNew(run: NewRun): PreparedRun {
  const { architecture, preset, modelOptions, text, data, settings, frozen = [] } = run;
  const corpus = loadCorpus(text, data.layout);
  const seed = settings.seed ?? 0;
  const prepared = prepareText(corpus, data, seed);
  const model = architecture.create(prepared.tokenizer.vocabSize, modelOptions, preset);
  const notes: RunNotes = {
    text: storedText(text),
    textHash: textIdentity(corpus),
    data,
    seed,
    frozen: [...frozen],
    preset: preset ?? null,
  };
  return { ...prepared, model: withFrozen(model, architecture, frozen), corpus: corpus.name, notes };
}

function prepareResumed(run: ResumedRun): PreparedRun {
  const { model, tokenizer } = run.checkpoint;
  const { corpus, notes } = resumeText(run);
  return {
    ...prepareText(corpus, notes.data, notes.seed, tokenizer),
    model: withFrozen(model, architectureOf(model.name), notes.frozen),
    corpus: corpus.name,
    notes,
  };
}

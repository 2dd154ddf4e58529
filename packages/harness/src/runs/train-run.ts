import { resolve } from 'node:path';
import { isLora, withBase } from '@palimpsest/backbone';
import { median } from '@palimpsest/base';
import {
  type AnySequenceModel,
  type Architecture,
  type BaseModel,
  type Corpus,
  corpusText,
  loadCorpus,
  type PreparedText,
  prepareText,
  type RunData,
  type Tokenizer,
  type TrainingEvent,
  type TrainingOptions,
  type TrainOptions,
  train,
  unknownCharactersRemark,
  withFrozen,
} from '@palimpsest/lm';
import { type Engine, InputError, whileBusy } from '@palimpsest/tensor-core';
import type { Registry } from '../create-registry.js';
import { standardRegistry } from '../registry.js';
import type { MetricsFormat } from './metrics-files.js';
import type { PretrainedStart } from './pretrained-start.js';
import { type ResumedRun, resumeText } from './resume-run.js';
import { RunFolder } from './run-folder.js';
import { type RunNotes, runNotesSchema, storedText } from './run-notes.js';
import { textIdentity } from './text-identity.js';

export interface NewRun {
  readonly architecture: Architecture;
  readonly preset?: string | undefined;
  /** What shall differ from the preset. */
  readonly modelOptions: Readonly<Record<string, unknown>>;
  /** Name of a built-in corpus, a text file, or a folder of text files. */
  readonly text: string;
  readonly data: RunData;
  readonly settings: TrainingOptions;
  /** Options of the architecture's own trainer. */
  readonly trainerOptions?: Readonly<Record<string, unknown>> | undefined;
  /** The model that it is made over, for an architecture that requires one. */
  readonly base?: BaseModel | undefined;
  /** The model that others trained and that it trains further, with its tokenizer; then `modelOptions` and `preset` do not count. */
  readonly pretrained?: PretrainedStart | undefined;
  /** Names of parameter sets of the architecture that shall not learn. */
  readonly frozen?: readonly string[];
}

export interface TrainRunOptions {
  readonly engine: Engine;
  /** Run folder: checkpoints, metrics, learning curve. */
  readonly folder: string;
  readonly run: NewRun | ResumedRun;
  /** Forms of the metrics to write besides `metrics.jsonl`. Default: those that the folder has already */
  readonly metrics?: readonly MetricsFormat[] | undefined;
  /** Which architectures there are. Default: those of the house. */
  readonly registry?: Registry;
  readonly signal?: AbortSignal;
  /** Told, before training, each sentence about the tokenizer and the text that may surprise. */
  readonly onRemark?: (remark: string) => void;
}

interface PreparedRun extends PreparedText {
  readonly architecture: Architecture;
  readonly model: AnySequenceModel;
  /** First parameters on the host. Default: drawn */
  readonly params?: unknown;
  readonly corpus: string;
  /** Stored with every checkpoint: what a resumed run needs besides the checkpoint's own data. */
  readonly notes: RunNotes;
  readonly remarks: readonly string[];
}

/**
 * Trains a model on a text into a run folder, or goes on with a run exactly where it stopped. Gives the events of the
 * training loop; every one of them is also a line of `metrics.jsonl`, and the end draws the learning curve.
 *
 * @throws InputError for options that do not fit, or a folder that holds another run.
 */
export async function* trainRun(options: TrainRunOptions): AsyncGenerator<TrainingEvent, void, undefined> {
  const { engine, run, signal, registry = standardRegistry } = options;
  const resume = 'checkpoint' in run ? run.checkpoint : undefined;
  const origin = resume ? { from: resume.folder } : {};
  // Before the text is read, which can take long.
  RunFolder.check(options.folder, origin);
  const { architecture, model, corpus, notes, remarks, ...text } = await whileBusy(() =>
    'checkpoint' in run ? prepareResumed(run, registry) : prepareNew(run),
  );
  for (const remark of remarks) options.onRemark?.(remark);
  const folder = new RunFolder(options.folder, { ...origin, metrics: options.metrics ?? [] });
  try {
    const events = learn(architecture, notes, {
      engine,
      model,
      ...text,
      settings: run.settings,
      folder: folder.path,
      notes,
      resume,
      signal,
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

const MEASURED_STEPS = 8;

/** Seconds of a step of a run here: the median of a few steps that leave nothing behind. */
export async function measureStep(engine: Engine, run: NewRun): Promise<number> {
  const { architecture, model, params, notes, tokenizer, source } = await whileBusy(() => prepareNew(run));
  const settings = { ...run.settings, steps: MEASURED_STEPS, validateEvery: 0, sampleEvery: 0 };
  const seconds: number[] = [];
  let tokensBefore = 0;
  for await (const event of learn(architecture, notes, {
    engine,
    model,
    params,
    source,
    tokenizer,
    settings,
  })) {
    if (event.type !== 'step') continue;
    seconds.push((event.tokens - tokensBefore) / event.tokensPerSecond);
    tokensBefore = event.tokens;
  }
  // The first step is compiled.
  return median(seconds.slice(1));
}

/** By the training loop, or by the architecture's own trainer. */
function learn(
  { trainer }: Architecture,
  notes: RunNotes,
  run: TrainOptions,
): AsyncGenerator<TrainingEvent, void, undefined> {
  return trainer ? trainer.train(run, trainer.options.parse(notes.trainer)) : train(run);
}

function prepareNew(run: NewRun): PreparedRun {
  const { architecture, preset, modelOptions, text, data, settings, frozen = [], base, pretrained } = run;
  const corpus = loadCorpus(text, data.layout);
  const seed = settings.seed ?? 0;
  const prepared = prepareText(corpus, data, seed, pretrained?.tokenizer ?? base?.tokenizer);
  if (frozen.length > 0 && pretrained && isLora(pretrained.model)) {
    throw new InputError(
      `Beside adapters all weights stay as they are, so that '${frozen[0]}' need not be frozen; leave that away.`,
    );
  }
  const model =
    pretrained?.model ?? architecture.create(prepared.tokenizer.vocabSize, modelOptions, preset, base);
  const notes: RunNotes = {
    text: storedText(text),
    textHash: textIdentity(corpus),
    data: pretrained ? { ...data, tokenizer: 'file', tokenizerPath: pretrained.notes.folder } : data,
    seed,
    frozen: [...frozen],
    preset: preset ?? null,
    trainer: runNotesSchema.shape.trainer.parse(run.trainerOptions),
    base: base && resolve(base.folder),
    pretrained: pretrained?.notes,
  };
  return {
    ...prepared,
    architecture,
    model: withFrozen(model, architecture, frozen),
    params: pretrained?.params,
    corpus: corpus.name,
    notes,
    // What the folder is said to be includes what its tokenizer says.
    remarks: [...new Set([...(pretrained?.warnings ?? []), ...remarksOn(prepared.tokenizer, corpus)])],
  };
}

async function prepareResumed(run: ResumedRun, registry: Registry): Promise<PreparedRun> {
  const { model: stored, tokenizer } = run.checkpoint;
  const architecture = registry.architecture(stored.name);
  const { corpus, notes } = resumeText(run, architecture);
  const prepared = prepareText(corpus, notes.data, notes.seed, tokenizer);
  const model = isLora(stored) ? await withBase(stored) : stored;
  return {
    ...prepared,
    architecture,
    model: withFrozen(model, architecture, notes.frozen),
    corpus: corpus.name,
    notes,
    remarks: remarksOn(prepared.tokenizer, corpus),
  };
}

/** What a tokenizer says of itself, and of the characters of the text that it does not know. */
function remarksOn(tokenizer: Tokenizer, corpus: Corpus): string[] {
  const unknown = unknownCharactersRemark(tokenizer, corpusText(corpus), 'text');
  return [...(tokenizer.remarks ?? []), ...(unknown === undefined ? [] : [unknown])];
}

import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  type Architecture,
  type Corpus,
  type LoadedCheckpoint,
  loadCorpus,
  makeTokenizer,
  type RunData,
  type TrainingOptions,
  trainingPart,
} from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { canonicalJson } from '../cells/canonical-json.js';
import { notesOf, type RunNotes, storedText } from './run-notes.js';
import { textIdentity } from './text-identity.js';

/** A run that goes on from a checkpoint. */
export interface ResumedRun {
  readonly checkpoint: LoadedCheckpoint;
  /** What shall differ from the settings of the run so far. */
  readonly settings: TrainingOptions;
  /** Where its text is now. Default: where it was. It must be the same text. */
  readonly text?: string | undefined;
  /** What else was asked for: it can only be what the run has already, and is refused by name otherwise. */
  readonly asked?: AskedOfRun;
}

/** What a user may name again when a run goes on, though it cannot change. */
export interface AskedOfRun {
  readonly architecture?: string;
  readonly preset?: string | undefined;
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  readonly data?: Partial<RunData>;
  /** Switches of sets of parameters, by the names of their flags. */
  readonly frozen?: Readonly<Record<string, unknown>>;
  /** Options of the architecture's own trainer. */
  readonly trainer?: Readonly<Record<string, unknown>> | undefined;
  /** The folder of the model that it is made over. */
  readonly base?: string | undefined;
}

export interface ResumedText {
  readonly corpus: Corpus;
  /** The notes to store from here on, with the text's place and identity. */
  readonly notes: RunNotes;
}

/**
 * The text of a run that goes on, after everything that was asked has been compared with what the run was begun with.
 * @throws InputError naming what differs, or a text that is missing or has changed.
 */
export function resumeText(run: ResumedRun, architecture: Architecture): ResumedText {
  const { checkpoint, text, asked = {} } = run;
  const notes = notesOf(checkpoint);
  checkAsked(checkpoint, notes, asked, architecture);
  const source = text ?? notes.text;
  const corpus = loadText(source, notes, text !== undefined);
  const textHash = textIdentity(corpus);
  if (
    notes.textHash === undefined ? !fitsTokenizer(corpus, notes, checkpoint) : textHash !== notes.textHash
  ) {
    throw new InputError(
      text === undefined
        ? `The text '${source}' has changed since the run in '${checkpoint.folder}' read it, so the run cannot go on exactly; bring the former text back (--text-path names its place) or begin a new run.`
        : `The text '${source}' (--text-path) is another one than that of the run in '${checkpoint.folder}' ('${notes.text}'); leave it away, or begin a new run.`,
    );
  }
  return { corpus, notes: { ...notes, text: storedText(source), textHash } };
}

function loadText(source: string, { text, data }: RunNotes, isNew: boolean): Corpus {
  try {
    return loadCorpus(source, data.layout);
  } catch (error) {
    if (isNew || !(error instanceof InputError)) throw error;
    throw new InputError(
      `${error.message.replace(/[.]$/, '')}; the run was begun with '${text}': --text-path names its place when it was moved.`,
    );
  }
}

/** Whether a folder is the one that was stored, which is the newest checkpoint where the folder was that of a run. */
const isNamed = (stored: string | undefined, folder: string) =>
  stored === resolve(folder) || stored === resolve(folder, 'latest');

/** Whether each switch of a set of parameters was on, by its flag. */
function frozenFlags({ parameterSets = {} }: Architecture, { frozen }: RunNotes): Record<string, boolean> {
  return Object.fromEntries(
    Object.entries(parameterSets).flatMap(([set, { flag }]) => (flag ? [[flag, frozen.includes(set)]] : [])),
  );
}

/** Runs of the first versions did not store what they read: there the tokenizer that the text gives must be the same. */
function fitsTokenizer(corpus: Corpus, { data }: RunNotes, { tokenizer }: LoadedCheckpoint): boolean {
  if (data.tokenizer === 'file' || data.tokenizer === 'byte') return true;
  const made = makeTokenizer(data, corpus, trainingPart(corpus, data));
  return canonicalJson(made.toJSON()) === canonicalJson(tokenizer!.toJSON());
}

function checkAsked(
  { model, folder }: LoadedCheckpoint,
  notes: RunNotes,
  asked: AskedOfRun,
  own: Architecture,
): void {
  const { architecture, preset, modelOptions = {}, data = {}, frozen = {}, trainer = {}, base } = asked;
  if (architecture !== undefined && architecture !== model.name) {
    throw new InputError(
      `The run in '${folder}' trains a model '${model.name}', not '${architecture}'; go on with it by 'train ${model.name}'.`,
    );
  }
  const differing = [
    ...differences(modelOptions, model.config),
    ...differences(data, notes.data),
    ...differences(trainer, notes.trainer),
    ...(base === undefined || isNamed(notes.base, base) ? [] : differences({ base }, { base: notes.base })),
    ...differences(frozen, frozenFlags(own, notes)),
    ...(preset === undefined ? [] : differences({ preset }, { preset: presetOf(own, notes) })),
  ];
  const first = differing[0];
  if (!first) return;
  const { key, given, has } = first;
  const former = has === undefined ? 'another' : JSON.stringify(has);
  throw new InputError(
    `${flagOf(key)} is ${JSON.stringify(given)}, but the run in '${folder}' was begun with ${former}, and that cannot change on the way; leave it away, or begin a new run.`,
  );
}

/** Runs of the first versions did not store their preset. */
function presetOf({ presets }: Architecture, { preset }: RunNotes): string | undefined {
  return preset === null ? Object.keys(presets)[0] : preset;
}

function differences(given: Readonly<Record<string, unknown>>, has: Readonly<Record<string, unknown>>) {
  return Object.entries(given)
    .filter(([key, value]) => value !== undefined && !isDeepStrictEqual(value, has[key]))
    .map(([key, value]) => ({ key, given: value, has: has[key] }));
}

const flagOf = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

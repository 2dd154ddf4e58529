import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  createTransformer,
  PretrainedTokenizer,
  saveFolder,
  type TransformerOptions,
  type TransformerParameters,
} from '@palimpsest/backbone';
import { canonicalJson, fnv1a, hex32, type NDArray, Rng } from '@palimpsest/base';
import {
  type AnySequenceModel,
  currentFolder,
  type JsonObject,
  type LoadedCheckpoint,
  loadCheckpoint,
  type TrainingEvent,
  type TrainingOptions,
  train,
} from '@palimpsest/lm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import { RunFolder } from '../../runs/run-folder.js';
import type { Pack } from '../pack.js';
import { END_TOKEN, trainPocketTokenizer } from '../pocket-tokenizer.js';
import { pocketDecays, pocketInit, pocketOptions } from './pocket-model.js';
import { SampleMaker } from './samples.js';
import { SessionBatches } from './session-batches.js';

/** Optimiser steps of a budget: about 6.0 and 3.0 million tokens, padding counted. */
export const budgets = { full: 5000, quick: 2500 } as const;

/** Changes with what samples are made of: a training goes on with the samples that it began with, or not at all. */
const DATA = 2;

export interface BackboneOptions {
  readonly engine: Engine;
  /** What its sessions are made of. */
  readonly pack: Pack;
  /** Where the model goes, and its training in a folder `training` beside it. */
  readonly folder: string;
  readonly steps: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** Where the training of a backbone's folder stands. */
const trainingOf = (folder: string): string => join(folder, 'training');

/**
 * Trains the small language model that sessions can be asked of without any download, and writes it as a checkpoint folder of the
 * family qwen2. Where the folder holds a training of the same pack, seed and length, it is gone on with exactly.
 * @throws InputError when the folder holds a model, or a training of another kind.
 */
export async function* trainBackbone(
  options: BackboneOptions,
): AsyncGenerator<TrainingEvent, void, undefined> {
  const { engine, pack, folder, steps, seed, signal } = options;
  if (existsSync(join(folder, 'config.json'))) {
    throw new InputError(`The folder '${folder}' holds a model already; choose another one (--out).`);
  }
  const notes = { pack: hex32(fnv1a(canonicalJson(pack))), data: DATA, seed, steps };
  const latest = join(trainingOf(folder), 'latest');
  const resume = existsSync(currentFolder(latest)) ? await begun(latest, notes) : undefined;
  const json = resume ? undefined : trainPocketTokenizer(pack);
  const tokenizer = json ? new PretrainedTokenizer(json, { eos_token: END_TOKEN }) : tokenizerOf(resume!);
  const endId = tokenizer.endId!;
  const model = pocketModel();
  const vocabulary = model.vocabSize;
  const source = new SessionBatches({
    samples: new SampleMaker(pack, tokenizer, endId),
    vocabulary,
    endId,
    steps,
    seed,
  });
  const run = new RunFolder(trainingOf(folder), resume && { from: latest });
  try {
    const params = pocketInit(Rng.fromSeed(seed));
    const settings = { ...recipe, steps, seed };
    for await (const event of train({
      engine,
      model,
      source,
      tokenizer,
      settings,
      folder: run.path,
      notes,
      signal,
      resume,
      params,
    })) {
      run.record(event);
      if (event.type === 'end') {
        await saveFolder(folder, {
          family: 'qwen2',
          model: createTransformer(pocketOptions),
          params: event.params as TransformerParameters<NDArray>,
          tokenizer: tokenizer.tokenizer,
          tokenizerConfig: tokenizer.config,
          endIds: [endId],
        });
        await run.drawCurve('the offline backbone on sessions');
      }
      yield event;
    }
  } finally {
    run.close();
  }
}

const recipe = {
  learningRate: 3e-3,
  warmupSteps: 50,
  minimumRate: 0.02,
  betas: [0.9, 0.98],
  weightDecay: 0.05,
  clip: 1,
  telemetry: false,
} as const satisfies TrainingOptions;

function pocketModel(): AnySequenceModel {
  const model = createTransformer(pocketOptions);
  return {
    ...model,
    parameterGroups: () => [...pocketDecays, ...model.parameterGroups()],
  } as AnySequenceModel;
}

/** A training that was begun. @throws InputError when it is of another pack, seed or length. */
async function begun(latest: string, notes: JsonObject): Promise<LoadedCheckpoint> {
  const checkpoint = await loadCheckpoint(latest, {
    transformer: (config) => createTransformer(config as unknown as TransformerOptions) as AnySequenceModel,
  });
  const other = Object.keys(notes).find((key) => checkpoint.notes[key] !== notes[key]);
  if (other === undefined) return checkpoint;
  throw new InputError(
    `The training in '${latest}' has another ${other} (${checkpoint.notes[other]}, and not ${notes[other]}); choose another folder (--out), or give what it was begun with.`,
  );
}

function tokenizerOf({ tokenizer, folder }: LoadedCheckpoint): PretrainedTokenizer {
  if (tokenizer instanceof PretrainedTokenizer) return tokenizer;
  throw new InputError(`The training in '${folder}' has no tokenizer of its own; begin another one (--out).`);
}

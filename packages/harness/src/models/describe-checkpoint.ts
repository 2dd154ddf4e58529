import { wrapLine } from '@palimpsest/base';
import { countParameters, type JsonObject, loadCheckpoint, stateBytes } from '@palimpsest/lm';
import { formatShape, type NDArray, treeLeaves } from '@palimpsest/tensor-core';
import type { Registry } from '../create-registry.js';
import { standardRegistry } from '../registry.js';
import { textTable } from '../report/table.js';
import { modelsOf } from './open-language-model.js';
import { placeOfModel } from './shipped.js';

/** What a checkpoint holds. */
export interface CheckpointDescription {
  readonly folder: string;
  readonly model: string;
  readonly config: JsonObject;
  readonly vocabSize: number;
  readonly tokenizer?: string | undefined;
  readonly parameters: number;
  /** SHA-256 of the parameter file. */
  readonly parametersId: string;
  /** Bytes of the memory of one text. */
  readonly stateBytes: number;
  /** Steps done, tokens read and settings, when it was saved by a training run. */
  readonly training?: JsonObject | undefined;
  readonly notes: JsonObject;
  readonly tensors: readonly { readonly path: string; readonly shape: readonly number[] }[];
}

/** Reads a checkpoint and says what is in it. @throws InputError when it is missing, torn or foreign. */
export async function describeCheckpoint(
  folder: string,
  registry: Registry = standardRegistry,
): Promise<CheckpointDescription> {
  const checkpoint = await loadCheckpoint(placeOfModel(folder), modelsOf(registry));
  const { model, params, parametersId, tokenizer, training, notes } = checkpoint;
  return {
    folder: checkpoint.folder,
    model: model.name,
    config: model.config,
    vocabSize: model.vocabSize,
    tokenizer: tokenizer?.kind,
    parameters: countParameters(params),
    parametersId,
    stateBytes: await stateBytes(model, 1, params),
    training: training?.progress,
    notes,
    tensors: treeLeaves<NDArray>(params).map(({ path, leaf }) => ({ path, shape: leaf.shape })),
  };
}

/**
 * The description for people.
 * @param width most characters of a line. Default: no limit.
 */
export function formatCheckpoint(description: CheckpointDescription, width?: number): string {
  const { training, tokenizer } = description;
  const facts = [
    ['checkpoint', description.folder],
    ['model', description.model],
    ['parameters', `${description.parameters} (SHA-256 ${description.parametersId.slice(0, 12)})`],
    ['memory', `${description.stateBytes} bytes per text`],
    ['vocabulary', `${description.vocabSize} tokens${tokenizer === undefined ? '' : `, ${tokenizer}`}`],
    ...(training ? [['training', `${String(training.step)} steps, ${String(training.tokens)} tokens`]] : []),
    ['configuration', JSON.stringify(description.config)],
  ];
  const tensors = description.tensors.map(({ path, shape }) => [path, formatShape(shape)]);
  return [
    formatFacts(facts as [string, string][], width),
    '',
    textTable(['parameter', 'shape'], tensors, [], width),
  ].join('\n');
}

/** Terms and what is to be said about them, one a line, or more where a line has not the room. */
export function formatFacts(facts: readonly (readonly [string, string])[], width = Infinity): string {
  const room = Math.max(...facts.map(([term]) => term.length));
  return facts
    .flatMap(([term, fact]) => wrapLine(`${term.padEnd(room)}  ${fact}`, width, room + 2))
    .join('\n');
}

import type { Inspection } from '@palimpsest/lm';
import { inspectText, type RsmOptions, resolveConfig } from '@palimpsest/rsm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import type { TextCheckpoint } from '../models/open-checkpoint.js';
import { inspectionPage } from './inspection-page.js';
import { rsmInspection } from './rsm-inspection.js';

export interface InspectCheckpointOptions {
  readonly engine: Engine;
  readonly checkpoint: TextCheckpoint;
  readonly text: string;
  /** Most tokens at the end of the text whose reads are drawn. Default 192. */
  readonly readTokens?: number;
}

export interface InspectedCheckpoint {
  readonly inspection: Inspection;
  /** HTML that needs no other file. */
  readonly page: string;
}

/**
 * What the memory of a trained RSM does with a text.
 * @throws InputError for a model of another architecture, or a text without tokens.
 */
export async function inspectCheckpoint(options: InspectCheckpointOptions): Promise<InspectedCheckpoint> {
  const { engine, checkpoint, text, readTokens } = options;
  const { model, params, tokenizer, folder } = checkpoint;
  if (model.name !== 'rsm') {
    throw new InputError(
      `'${folder}' holds a model '${model.name}', but only the memories of 'rsm' models can be inspected.`,
    );
  }
  const config = resolveConfig(model.config as RsmOptions);
  const inspected = await inspectText(engine, config, params, tokenizer.encode(text));
  const shown = rsmInspection(config, inspected, tokenizer, readTokens);
  const inspection = { ...shown, facts: [['checkpoint', folder] as const, ...shown.facts] };
  return { inspection, page: await inspectionPage(inspection, folder) };
}

import type { Tokenizer } from '@palimpsest/lm';
import { inspectText, type RsmOptions, resolveConfig, type TextInspection } from '@palimpsest/rsm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import type { TextCheckpoint } from '../models/open-checkpoint.js';
import { inspectionPage } from './inspection-page.js';

export interface InspectCheckpointOptions {
  readonly engine: Engine;
  readonly checkpoint: TextCheckpoint;
  readonly text: string;
  /** Most tokens at the end of the text whose reads are drawn. Default 192. */
  readonly readTokens?: number;
}

export interface InspectedCheckpoint {
  readonly inspection: TextInspection;
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
  const inspection = await inspectText(engine, config, params, tokenizer.encode(text));
  const facts = [
    ['checkpoint', folder],
    ['wiring', `${config.preset}, ${config.numLayers} blocks of width ${config.hiddenSize}`],
    ['memory', `${config.numMemorySlots} slots, ${config.memoryScope}; chunks of ${config.chunkSize} tokens`],
    ['text', `${inspection.tokens.length} tokens in ${inspection.chunks.length} chunks`],
  ] as const;
  const page = await inspectionPage(inspection, {
    checkpoint: folder,
    texts: textsOf(tokenizer, inspection.tokens),
    facts,
    ...(readTokens === undefined ? {} : { readTokens }),
  });
  return { inspection, page };
}

/** What each token adds to the text. */
function textsOf(tokenizer: Tokenizer, ids: Int32Array): string[] {
  const decoder = tokenizer.streamingDecoder();
  return Array.from(ids, (id) => decoder.push(id));
}

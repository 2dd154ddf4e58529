import { InputError } from '@palimpsest/base';
import type { Inspection } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import type { Registry } from '../create-registry.js';
import type { TextCheckpoint } from '../models/open-language-model.js';
import { standardRegistry } from '../registry.js';
import { inspectionPage } from './inspection-page.js';

export interface InspectCheckpointOptions {
  readonly engine: Engine;
  readonly checkpoint: TextCheckpoint;
  readonly text: string;
  /** Most tokens at the end of the text whose reads are drawn. Default 192. */
  readonly readTokens?: number;
  /** Whose mechanisms can show their memory. Default: those of the house */
  readonly registry?: Registry;
}

export interface InspectedCheckpoint {
  readonly inspection: Inspection;
  /** HTML that needs no other file. */
  readonly page: string;
}

/**
 * What the memory of a trained model does with a text.
 * @throws InputError for a mechanism that cannot show its memory, or a text without tokens.
 */
export async function inspectCheckpoint(options: InspectCheckpointOptions): Promise<InspectedCheckpoint> {
  const { registry = standardRegistry, ...request } = options;
  const { model, folder } = request.checkpoint;
  const card = registry.mechanismOf(model.name);
  if (!card?.inspect) {
    const able = registry.mechanisms.filter(({ inspect }) => inspect).map(({ name }) => name);
    throw new InputError(
      `'${folder}' holds a model '${model.name}', whose memory cannot be inspected; that of ${able.join(', ')} can.`,
    );
  }
  const shown = await card.inspect(request);
  const inspection = { ...shown, facts: [['checkpoint', folder] as const, ...shown.facts] };
  return { inspection, page: await inspectionPage(inspection, folder) };
}

import { existsSync } from 'node:fs';
import { type ModelCard, shippedFolder, shippedModels } from '@palimpsest/models';
import { adaptersOfPocket, loadPocket } from '../viability/pocket.js';
import type { LanguageModel } from './open-language-model.js';

/** What can be talked to without training anything. */
export type ShippedModel = Pick<ModelCard, 'name' | 'title' | 'description'>;

/** The small model that the quick form of `viability` asks, which comes with this package. */
const SESSION: ShippedModel = {
  name: 'session',
  title: 'Session model',
  description: 'A transformer that has read generated conversations: what `viability run --quick` asks.',
};

/** Trained models that come along, by name. */
export const shipped = (): readonly ShippedModel[] => [...shippedModels(), SESSION];

/** A place as a folder: as it stands when there is something, else that of the shipped model of this name. */
export const placeOfModel = (place: string): string =>
  existsSync(place) ? place : (shippedFolder(place) ?? place);

/** The session model, when nothing else stands at its name. */
export async function openSessionModel(place: string): Promise<LanguageModel | undefined> {
  if (place !== SESSION.name || existsSync(place)) return undefined;
  const { frozen, tokenizer } = await loadPocket();
  const { model, params, endIds } = frozen;
  return {
    folder: place,
    model,
    params,
    tokenizer,
    encodeStart: (text) => tokenizer.encode(text),
    endIds,
    sampling: {},
    memoryAdapters: adaptersOfPocket(),
    warnings: [],
    dispose: async () => {},
  };
}

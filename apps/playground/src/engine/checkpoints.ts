import { type BaseModel, checkpointFrom, type Tokenizer } from '@palimpsest/lm';
import { models } from './mechanisms.js';

/** A trained model with its tokens. */
export interface TextModel extends BaseModel {
  readonly tokenizer: Tokenizer;
}

/** Name of the model that was trained in the page. */
export const TRAINED = 'trained';

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json'];
const opened = new Map<string, Promise<TextModel>>();

/** Keeps the model that was trained last. */
export function keepTrained(model: TextModel): void {
  opened.set(TRAINED, Promise.resolve(model));
}

/** A shipped model from beside the page, or the one that was trained in it. */
export function openModel(name: string, base: string): Promise<TextModel> {
  const known = opened.get(name);
  if (known) return known;
  if (name === TRAINED) throw new Error('Nothing was trained here yet.');
  const loaded = load(name, base);
  opened.set(name, loaded);
  loaded.catch(() => opened.delete(name));
  return loaded;
}

async function load(name: string, base: string): Promise<TextModel> {
  const files = await Promise.all(
    FILES.map(async (file) => {
      const response = await fetch(new URL(`${name}/${file}`, base));
      if (!response.ok)
        throw new Error(`${name}/${file} cannot be read: the server answers ${response.status}.`);
      return [file, new Uint8Array(await response.arrayBuffer())] as const;
    }),
  );
  const { model, params, parametersId, tokenizer, folder } = await checkpointFrom(
    Object.fromEntries(files),
    models,
    name,
  );
  if (!tokenizer) throw new Error(`The model '${name}' has no tokenizer.`);
  return { folder, model, params, parametersId, tokenizer };
}

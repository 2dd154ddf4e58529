import { InputError } from '../errors.js';
import { parseJson } from '../lenient-json.js';
import { nodeModule } from '../node-modules.js';
import { unreadable } from './atomic-file.js';
import { SafetensorsFile } from './safetensors-files.js';

/** The open files of a model and, for every tensor, the file that holds it. */
export interface ShardedSafetensors {
  readonly files: readonly SafetensorsFile[];
  readonly of: ReadonlyMap<string, SafetensorsFile>;
}

/**
 * Opens a folder's `model.safetensors`, or the files that its `model.safetensors.index.json` lists.
 * @returns for every key the file that holds it; close each of `files` after use
 * @throws InputError naming the file or key that is missing.
 */
export async function openSharded(folder: string): Promise<ShardedSafetensors> {
  const { readFile } = nodeModule('node:fs').promises;
  const { join } = nodeModule('node:path');
  const indexPath = join(folder, 'model.safetensors.index.json');
  const text = await readFile(indexPath, 'utf8').catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return undefined;
    throw unreadable(indexPath, error);
  });
  if (text === undefined) {
    const file = await SafetensorsFile.open(join(folder, 'model.safetensors'));
    return { files: [file], of: new Map(file.keys().map((key) => [key, file])) };
  }
  const weightMap = parseIndex(text, indexPath);
  const opened = new Map<string, SafetensorsFile>();
  const of = new Map<string, SafetensorsFile>();
  try {
    for (const [key, name] of Object.entries(weightMap)) {
      const file = opened.get(name) ?? (await SafetensorsFile.open(join(folder, name)));
      opened.set(name, file);
      if (!file.shape(key))
        throw new InputError(`${indexPath} says that '${key}' is in ${name}, but it is not there.`);
      of.set(key, file);
    }
  } catch (error) {
    for (const file of opened.values()) await file.close();
    throw error;
  }
  return { files: [...opened.values()], of };
}

/** @throws InputError for anything else than a map from tensors to names of files in the same folder. */
function parseIndex(text: string, path: string): Record<string, string> {
  const weightMap = (parseJson(text, path) as { weight_map?: unknown } | null)?.weight_map;
  const isFileName = (name: unknown) => typeof name === 'string' && /^[^/\\]+\.safetensors$/.test(name);
  if (typeof weightMap !== 'object' || weightMap === null || !Object.values(weightMap).every(isFileName)) {
    throw new InputError(
      `${path} is not a safetensors index: its 'weight_map' does not map tensors to *.safetensors files beside it.`,
    );
  }
  return weightMap as Record<string, string>;
}

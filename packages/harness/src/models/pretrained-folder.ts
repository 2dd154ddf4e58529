import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '@palimpsest/base';

/** Files that a Hugging Face folder has and a run folder of this program has not. */
const FILES = ['tokenizer.json', 'model.safetensors', 'model.safetensors.index.json', 'adapter_config.json'];

/**
 * Whether a path is a GGUF file, a folder of adapters in the layout of PEFT, or a folder that is a Hugging Face one rather than a checkpoint of this program, whose config.json names its format.
 * A folder without config.json is one when other files of such a folder are there.
 */
export function isPretrainedFolder(folder: string): boolean {
  if (folder.toLowerCase().endsWith('.gguf')) return true;
  const path = join(folder, 'config.json');
  if (!existsSync(path)) return FILES.some((name) => existsSync(join(folder, name)));
  try {
    const config: unknown = parseJson(readFileSync(path), path);
    return typeof config === 'object' && config !== null && !('format' in config);
  } catch {
    return false;
  }
}

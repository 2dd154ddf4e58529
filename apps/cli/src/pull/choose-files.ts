import { InputError } from '@palimpsest/tensor-core';
import type { HubFile } from './hub.js';

/** Files beside the weights that say what a model is. */
const TEXTS = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
  'model.safetensors.index.json',
]);

const isShard = (path: string) => /^model-\d+-of-\d+\.safetensors$/.test(path);
const isGguf = (path: string) => path.toLowerCase().endsWith('.gguf');

/**
 * The files that make a model: those that were asked for, or a safetensors checkpoint with what stands beside it, or the only
 * GGUF file.
 * @throws InputError when a file is not there, when there is no model, or more than one.
 */
export function chooseFiles(
  files: readonly HubFile[],
  asked: readonly string[] | undefined,
  repo: string,
): HubFile[] {
  if (asked) return asked.map((name) => named(files, name, repo));
  const paths = files.map(({ path }) => path);
  const weights = paths.includes('model.safetensors')
    ? ['model.safetensors']
    : paths.filter((path) => isShard(path));
  if (weights.length > 0 && paths.includes('config.json')) {
    const wanted = new Set([...weights, ...TEXTS]);
    if (weights[0] === 'model.safetensors') wanted.delete('model.safetensors.index.json');
    return files.filter(({ path }) => wanted.has(path));
  }
  const ggufs = files.filter(({ path }) => isGguf(path));
  if (ggufs.length === 1) return ggufs;
  if (ggufs.length === 0) {
    throw new InputError(
      `'${repo}' holds no model that can be read: neither config.json with safetensors nor a GGUF file.`,
    );
  }
  throw new InputError(
    `'${repo}' holds ${ggufs.length} GGUF files; name one with --file: ${ggufs.map(({ path }) => path).join(', ')}.`,
  );
}

function named(files: readonly HubFile[], name: string, repo: string): HubFile {
  const found = files.find(({ path }) => path === name);
  if (found) return found;
  throw new InputError(
    `'${repo}' has no file '${name}'; it has ${files.map(({ path }) => path).join(', ') || 'none'}.`,
  );
}

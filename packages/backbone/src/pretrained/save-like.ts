import {
  InputError,
  type NDArray,
  nodeModule,
  treeToRecord,
  writeFileAtomically,
  writeSafetensors,
} from '@palimpsest/base';
import type { TransformerConfig } from '../config.js';
import type { TransformerParameters } from '../parameters.js';
import { requireJsonFile } from './json-file.js';
import { isGgufPath, openCheckpoint } from './open-checkpoint.js';
import { saveFolder, tensorOf, type WritableFamily, writableFamilies } from './save-folder.js';

/** Files beside the weights, which say nothing about their values. */
const OTHERS = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
];

/**
 * Writes a checkpoint folder that is another one with other weights, in float32: its configuration and its tokenizer are those of
 * the folder, or of the GGUF file, that the weights came from.
 * @throws InputError for a folder that holds something, and for a GGUF file of a family whose folders are not written.
 */
export async function saveFolderLike(
  base: string,
  folder: string,
  options: TransformerConfig,
  params: TransformerParameters<NDArray>,
): Promise<void> {
  const { mkdir, readdir, copyFile } = nodeModule('node:fs').promises;
  const { join } = nodeModule('node:path');
  const { existsSync } = nodeModule('node:fs');
  if (existsSync(folder) && (await readdir(folder)).length > 0) {
    throw new InputError(
      `The folder '${folder}' holds something already; name one that is empty or not there.`,
    );
  }
  const { files, plan, family, tokenizer, endIds } = await openCheckpoint(base);
  await files.close();
  if (isGgufPath(base)) {
    if (!writableFamilies.some((name) => name === family)) {
      throw new InputError(
        `'${base}' is a GGUF file of the family ${family}; folders are written for ${writableFamilies.join(', ')}. Start from the folder that the file was made from.`,
      );
    }
    await saveFolder(folder, {
      family: family as WritableFamily,
      model: { options },
      params,
      endIds,
      ...(tokenizer && { tokenizer: tokenizer.tokenizer, tokenizerConfig: tokenizer.config }),
    });
    return;
  }
  const config = await requireJsonFile(join(base, 'config.json'), 'describes the architecture');
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new InputError(`The folder '${folder}' cannot be made: ${error.message}.`);
  });
  const arrays = treeToRecord<NDArray>(params);
  const tensors = plan.entries.map((entry) => [entry.key, tensorOf(entry, arrays)] as const);
  await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(tensors), { format: 'pt' });
  for (const name of OTHERS.filter((other) => existsSync(join(base, other)))) {
    await copyFile(join(base, name), join(folder, name));
  }
  const isNewer = 'dtype' in config;
  const stated = { ...config, [isNewer ? 'dtype' : 'torch_dtype']: 'float32' };
  // Last, so that a folder with a configuration is a whole one.
  await writeFileAtomically(
    join(folder, 'config.json'),
    new TextEncoder().encode(`${JSON.stringify(stated, null, 2)}\n`),
  );
}

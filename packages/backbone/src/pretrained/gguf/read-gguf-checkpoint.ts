import type { JsonObject } from '@palimpsest/lm';
import { type CacheOptions, resolveConfig } from '../../config.js';
import { ChatTemplate } from '../chat-template.js';
import { type Checkpoint, cacheOf, tokenizerWarnings } from '../checkpoint-folder.js';
import { named } from '../json-file.js';
import { ggufFamily, ggufOptions } from './gguf-config.js';
import type { GgufFiles } from './gguf-files.js';
import { ggufTokenizer } from './gguf-tokenizer.js';
import { Metadata } from './metadata.js';

/** Everything in a GGUF file but the weights. @throws InputError naming the key that is missing, wrong or not supported. */
export async function readGgufCheckpoint(files: GgufFiles, cache: CacheOptions): Promise<Checkpoint> {
  const metadata = new Metadata(files);
  const family = ggufFamily(metadata);
  const options = await ggufOptions(files, metadata, family);
  const text = ggufTokenizer(metadata, family);
  const chatTemplate = templateOf(metadata, text?.config ?? {});
  return {
    family,
    options,
    endIds: text?.endIds ?? [],
    statesHead: true,
    folder: files.source,
    config: named(files.source, () => resolveConfig({ ...options, ...cacheOf(options, cache) })),
    tokenizer: text?.tokenizer,
    chatTemplate,
    generationConfig: {},
    warnings: text ? [...text.remarks, ...tokenizerWarnings(text.tokenizer, options, files.source)] : [],
  };
}

/** The only chat template, or the one called `default`, or the first. */
function templateOf(metadata: Metadata, config: JsonObject): ChatTemplate | undefined {
  const key = 'tokenizer.chat_template';
  const others = metadata.textsUnder(`${key}.`);
  const source = metadata.find(key, 'string') ?? others.get('default') ?? [...others.values()][0];
  return source === undefined ? undefined : new ChatTemplate(source, config, `${metadata.source}: '${key}'`);
}

import { InputError } from '@palimpsest/base';
import { type PreTokenizer, preTokenizers, usualPreTokenizers } from '../tokenizers/pre-tokenizers.js';
import type { Metadata } from './metadata.js';

/** What a GGUF file calls its way to cut words; `remark` when it states none. @throws InputError for a name that is not known. */
export function preTokenizerNamed(
  metadata: Metadata,
  architecture: string,
): PreTokenizer & { readonly remark?: string } {
  const key = 'tokenizer.ggml.pre';
  const stated = metadata.find(key, 'string');
  if (stated === undefined || stated === 'default') {
    const name = usualPreTokenizers[architecture] ?? 'gpt-2';
    const remark = `${metadata.source} does not say how its tokenizer cuts words (the key '${key}'); they are cut as '${name}' does.`;
    return { ...preTokenizers[name]!, remark };
  }
  if (Object.hasOwn(preTokenizers, stated)) return preTokenizers[stated]!;
  throw new InputError(
    `${metadata.source}: the key '${key}' is '${stated}', which is not supported; supported are ${Object.keys(preTokenizers).join(', ')}.`,
  );
}
